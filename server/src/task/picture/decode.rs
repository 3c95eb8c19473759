//! From a file or pixels to the pixels that a model takes.

use std::borrow::Cow;
use std::error::Error;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat};
use quintet_bundle::image::{Channels, Colours, Framing, ImageSpec, Margins, Pixels, WHITE};

use super::header::{check_memory, open, raw_pixels};
use super::{Picture, jpeg, reduced};
use crate::error::Violation;

/// The width of a JPEG's blocks, of which colours may have half as many as pixels.
const LAST_PIXELS: usize = 16;

/// What a picture is decoded for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    colours: Colours,
    /// In red, green and blue: what shows through transparent pixels.
    background: [u8; 3],
    /// What will be done with the pixels, if a large picture may be decoded at a reduced scale.
    then: Option<(ImageSpec, Framing)>,
}

impl Wanted {
    /// What `spec` makes a model's pixels of.
    pub fn by(spec: ImageSpec, framing: Framing) -> Self {
        Self {
            colours: spec.colours(framing),
            background: spec.background,
            then: Some((spec, framing)),
        }
    }
}

/// All pixels, in these channels, over white.
impl From<Channels> for Wanted {
    fn from(channels: Channels) -> Self {
        Self {
            colours: channels.into(),
            background: WHITE,
            then: None,
        }
    }
}

/// Decodes a picture, turned as its EXIF orientation says. A colour profile is ignored. Of a moving
/// picture, it is the first.
///
/// # Errors
/// The picture is malformed, or has more than `max_pixels`, or takes too much memory.
pub fn decode(
    picture: &Picture,
    wanted: impl Into<Wanted>,
    max_pixels: u64,
) -> Result<Pixels, Violation> {
    let Wanted {
        colours,
        background,
        then,
    } = wanted.into();
    let file = match picture {
        Picture::Raw(raw) => {
            raw_pixels(raw, max_pixels)?;
            let size = (raw.width, raw.height);
            let data = Cow::Borrowed(&raw.data[..]);
            return Pixels::over(background, size, raw.channels as u8, data, colours)
                .map_err(|error| Violation::new("raw", error.to_string()));
        }
        Picture::Encoded(file) => file,
    };
    let is_jpeg = image::guess_format(file).is_ok_and(|format| format == ImageFormat::Jpeg);
    let file = if is_jpeg {
        // Headers come first: they bound the work.
        open(file, max_pixels)?;
        jpeg::completed(file).map_err(|missing| cut_off(&missing))?
    } else {
        Cow::Borrowed(&file[..])
    };
    let (mut decoder, _) = open(&file, max_pixels)?;
    let reduction = match then {
        Some((spec, framing)) if is_jpeg => spec.reduction(decoder.dimensions(), framing),
        _ => 1,
    };
    check_memory((&file, &decoder), reduction, max_pixels)?;
    let whole = decoder.dimensions();
    // EXIF's orientation; a file with a malformed one is still a picture.
    let orientation = decoder.orientation();
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    let reduced = (reduction > 1).then(|| reduced::decode(&file, reduction));
    let (mut image, margins) = if let Some(image) = reduced.flatten() {
        (image, reduced::margins(whole, reduction, orientation))
    } else {
        check_memory((&file, &decoder), 1, max_pixels)?;
        let image = DynamicImage::from_decoder(decoder).map_err(|error| undecodable(&error))?;
        (image, Margins::default())
    };
    if is_jpeg && ends_in_repetition(&image) {
        jpeg::check_every_code(&file).map_err(|missing| cut_off(&missing))?;
    }
    image.apply_orientation(orientation);
    let size = (image.width(), image.height());
    let (channels, pixels) = match image {
        DynamicImage::ImageLuma8(grey) if is_grey(colours) => {
            let pixels = grey.into();
            return Ok(Pixels { margins, ..pixels });
        }
        DynamicImage::ImageLuma8(grey) => (1, grey.into_raw()),
        DynamicImage::ImageLumaA8(image) => (2, image.into_raw()),
        DynamicImage::ImageRgb8(image) => (3, image.into_raw()),
        mut other => {
            stretch_small_levels(&mut other);
            (4, other.into_rgba8().into_raw())
        }
    };
    let pixels = Pixels::over(background, size, channels, pixels.into(), colours)
        .map_err(|error| Violation::new("encoded", error.to_string()))?;
    Ok(Pixels { margins, ..pixels })
}

/// Whether the last pixels repeat the ones before them. They do where the decoder found no data: it
/// reads zeros, and takes each block for the same.
fn ends_in_repetition(image: &DynamicImage) -> bool {
    let (bytes, width) = (image.as_bytes(), image.width() as usize);
    let pixel = usize::from(image.color().bytes_per_pixel());
    let row = &bytes[bytes.len() - width * pixel..];
    let (before, last) = row.split_at(row.len().saturating_sub(LAST_PIXELS * pixel));
    width < 2 * LAST_PIXELS || before.ends_with(last)
}

/// Whether grey levels stay as they are.
fn is_grey(wanted: Colours) -> bool {
    matches!(
        wanted,
        Colours::Ink | Colours::Drawing | Colours::Channels(Channels::Grey)
    )
}

/// Some programs write levels of 8 bits into a file of 16. Where no level of a picture is larger,
/// they are taken for such; so is its alpha.
fn stretch_small_levels(image: &mut DynamicImage) {
    let (levels, channels, has_alpha) = match image {
        DynamicImage::ImageLuma16(image) => (&mut **image, 1, false),
        DynamicImage::ImageLumaA16(image) => (&mut **image, 2, true),
        DynamicImage::ImageRgb16(image) => (&mut **image, 3, false),
        DynamicImage::ImageRgba16(image) => (&mut **image, 4, true),
        _ => return,
    };
    let colours = channels - usize::from(has_alpha);
    for part in [0..colours, colours..channels] {
        let pixels = levels.chunks_exact(channels);
        if pixels
            .flat_map(|pixel| &pixel[part.clone()])
            .all(|level| *level <= 255)
        {
            let pixels = levels.chunks_exact_mut(channels);
            let levels = pixels.flat_map(|pixel| &mut pixel[part.clone()]);
            levels.for_each(|level| *level *= 257);
        }
    }
}

fn cut_off(missing: &str) -> Violation {
    Violation::new(
        "encoded",
        format!("is cut off or damaged: {missing}; the whole file is needed"),
    )
}

pub(super) fn undecodable(error: &ImageError) -> Violation {
    let words = match error {
        ImageError::Decoding(it) => it.source().map(ToString::to_string),
        ImageError::IoError(it) => Some(it.to_string()),
        other => {
            return Violation::new("encoded", format!("cannot be decoded: {other}"));
        }
    };
    // These do not tell damage from what the decoder does not support.
    let mut why = "it is cut off, damaged or of a kind that is not supported".to_owned();
    // Some words are a value of the decoder's own, or go on in another line.
    let words = words.as_deref().and_then(|it| it.lines().next());
    if let Some(words) = words.filter(|it| !it.contains('{')) {
        why = format!("{why} ({words})");
    }
    Violation::new("encoded", format!("cannot be decoded: {why}"))
}

#[cfg(test)]
mod tests;
