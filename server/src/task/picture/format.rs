//! What kind of file a picture is, by its first bytes.

use image::ImageFormat;

/// The formats that are taken.
const TAKEN: [ImageFormat; 3] = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP];

/// The first bytes of files that [`image::guess_format`] does not know.
const OTHERS: [(&[u8], &str); 6] = [
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"II+\x00", "BigTIFF"),
    (b"MM\x00+", "BigTIFF"),
    (b"8BPS", "PSD"),
];
/// How texts begin, after white space.
const TEXTS: [(&[u8], &str); 2] = [(b"%PDF-", "PDF"), (b"<", "SVG, XML or HTML")];

/// The brands of HEIF files (ISO/IEC 23008-12, annexes B and E), such as a phone's photographs.
const BRANDS: [(&[u8], &str); 8] = [
    (b"avis", "AVIF"),
    (b"heic", "HEIC"),
    (b"heix", "HEIC"),
    (b"heim", "HEIC"),
    (b"heis", "HEIC"),
    (b"hevc", "HEIC"),
    (b"mif1", "HEIF"),
    (b"msf1", "HEIF"),
];

/// The format of a file that is taken.
///
/// # Errors
/// The file is of another format: what it is, where its first bytes tell, and what is taken.
pub(super) fn taken(file: &[u8]) -> Result<ImageFormat, String> {
    let format = image::guess_format(file).ok();
    if let Some(format) = format.filter(|it| TAKEN.contains(it)) {
        return Ok(format);
    }
    let bytes = file.len();
    Err(match format.and_then(name).or_else(|| other(file)) {
        Some(name) => format!("is {name} ({bytes} bytes); PNG, JPEG and WebP are allowed"),
        None => format!("is {bytes} bytes that are neither PNG, JPEG nor WebP"),
    })
}

fn name(format: ImageFormat) -> Option<&'static str> {
    match format {
        ImageFormat::Gif => Some("GIF"),
        ImageFormat::Tiff => Some("TIFF"),
        ImageFormat::Avif => Some("AVIF"),
        ImageFormat::Ico => Some("ICO"),
        _ => None,
    }
}

fn other(file: &[u8]) -> Option<&'static str> {
    // `BM` alone begins texts, too. Two numbers behind the size are 0.
    if file.starts_with(b"BM") && file.get(6..10) == Some(&[0; 4]) {
        return Some("BMP");
    }
    // The brand follows the size and the type of the first box (ISO/IEC 14496-12, 4.3).
    let brand = file.get(4..).and_then(|it| it.strip_prefix(b"ftyp"));
    let text = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    named(brand.unwrap_or_default(), &BRANDS)
        .or_else(|| named(file, &OTHERS))
        .or_else(|| named(text.trim_ascii_start(), &TEXTS))
}

fn named(bytes: &[u8], known: &[(&[u8], &'static str)]) -> Option<&'static str> {
    let known = known.iter().find(|(first, _)| bytes.starts_with(first));
    known.map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_formats_are_named() {
        for (first, name) in [
            (&b"GIF89a"[..], "is GIF (32 bytes)"),
            (b"BM\x46\x00\x00\x00", "is BMP"),
            (b"II*\x00", "is TIFF"),
            (b"MM\x00*", "is TIFF"),
            (b"\x00\x00\x00\x1cftypavif", "is AVIF"),
            (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "is HEIC"),
            (b"\x00\x00\x00\x24ftypmif1\x00\x00\x00\x00", "is HEIF"),
            (b"\xff\x0a\xfa", "is JPEG XL"),
            (b"%PDF-1.7\n", "is PDF"),
            (b"<svg xmlns=", "is SVG"),
            (b"\xef\xbb\xbf\n<!DOCTYPE svg", "is SVG"),
            (b"BMW cars are fast", "is 32 bytes that are neither PNG"),
            (
                b"\x00\x00\x00\x18ftypisom",
                "is 32 bytes that are neither PNG",
            ),
            (b"hello", "is 32 bytes that are neither PNG"),
        ] {
            let mut file = first.to_vec();
            file.resize(32, 0);
            let words = taken(&file).unwrap_err();
            assert!(words.starts_with(name), "{words}");
        }
        assert!(taken(b"").unwrap_err().starts_with("is 0 bytes"));
    }

    #[test]
    fn the_formats_that_are_taken_are_known_by_few_bytes() {
        let formats = [
            &b"\x89PNG\r\n\x1a\n"[..],
            b"\xff\xd8\xff",
            b"RIFF\x00\x00\x00\x00WEBP",
        ];
        assert_eq!(formats.map(|it| taken(it).unwrap()), TAKEN);
    }
}
