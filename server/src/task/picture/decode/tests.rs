//! Pictures in every form that is taken, and the words for those that are not.

use std::io::Cursor;

use bytes::Bytes;
use image::{GrayImage, ImageEncoder, RgbImage, Rgba, RgbaImage};
use proptest::prelude::*;
use quintet_bundle::image::{Filter, Fit};
use quintet_proto::v1::RawImage;

use super::*;
use crate::task::picture::pixels;

const LIMIT: u64 = 1_000_000;

fn png(image: &DynamicImage) -> Bytes {
    let mut file = Vec::new();
    image
        .write_to(&mut Cursor::new(&mut file), ImageFormat::Png)
        .unwrap();
    file.into()
}

/// A PNG whose header promises this canvas, with hardly any data behind it.
fn bomb(width: u32, height: u32) -> Bytes {
    let mut file = png(&DynamicImage::new_luma8(1, 1)).to_vec();
    file[16..20].copy_from_slice(&width.to_be_bytes());
    file[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc32(&file[12..29]);
    file[29..33].copy_from_slice(&crc.to_be_bytes());
    file.into()
}

/// The checksum of a PNG chunk (PNG specification, annex D).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    })
}

fn raw(width: u32, height: u32, channels: u32, bytes: usize) -> Picture {
    Picture::Raw(RawImage {
        width,
        height,
        channels,
        data: vec![7; bytes].into(),
    })
}

#[test]
fn png_of_any_colour_type_becomes_grey() {
    let rgba = RgbaImage::from_pixel(3, 2, Rgba([90, 90, 90, 255]));
    let image = DynamicImage::ImageRgba8(rgba);
    for image in [
        DynamicImage::ImageLuma8(image.to_luma8()),
        DynamicImage::ImageLumaA8(image.to_luma_alpha8()),
        DynamicImage::ImageRgb8(image.to_rgb8()),
        DynamicImage::ImageRgb16(image.to_rgb16()),
        image,
    ] {
        let grey = decode(&Picture::Encoded(png(&image)), Channels::Grey, LIMIT).unwrap();
        assert_eq!((grey.width, grey.height), (3, 2));
        let close = |level: &u8| level.abs_diff(90) <= 1;
        assert!(grey.data.iter().all(close), "{:?}", image.color());
        let rgb = decode(&Picture::Encoded(png(&image)), Channels::Rgb, LIMIT).unwrap();
        assert_eq!(rgb.data.len(), 18);
        assert!(rgb.data.iter().all(close), "{:?}", image.color());
    }
}

#[test]
fn a_jpeg_is_turned_the_way_its_exif_says() {
    let mut image = image::GrayImage::from_pixel(32, 16, image::Luma([0]));
    (0..16).for_each(|y| (0..16).for_each(|x| image.put_pixel(x, y, image::Luma([255]))));
    let mut file = Vec::new();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, 95);
    // One Exif entry: orientation 6, "turn 90 degrees clockwise to view".
    let exif = [
        b"II*\0\x08\0\0\0\x01\0".as_slice(),
        b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0",
        &[0; 4],
    ]
    .concat();
    encoder.set_exif_metadata(exif).unwrap();
    encoder.encode_image(&image).unwrap();
    let grey = decode(&Picture::Encoded(file.into()), Channels::Grey, LIMIT).unwrap();
    assert_eq!((grey.width, grey.height), (16, 32));
    let level = |x: usize, y: usize| grey.data[y * 16 + x];
    assert!(level(8, 4) > 200 && level(8, 28) < 50);
}

fn file(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// Pixels of a model like those of ImageNet.
fn photograph() -> ImageSpec {
    ImageSpec {
        width: 224,
        height: 224,
        channels: Channels::Rgb,
        fit: Fit::Crop {
            shorter_side: 256,
            filter: Filter::Bilinear,
        },
        background: [0, 128, 255],
    }
}

/// A picture of smooth colours.
fn gradient(width: u32, height: u32) -> DynamicImage {
    let level = |at: u32, of: u32| (at * 255 / of) as u8;
    let pixel = |x, y| {
        image::Rgb([
            level(x, width),
            level(y, height),
            level(x + y, width + height),
        ])
    };
    RgbImage::from_fn(width, height, pixel).into()
}

#[test]
fn a_large_jpeg_is_decoded_at_a_reduced_scale() {
    let image = gradient(3000, 2000);
    let picture = Picture::Encoded(file(&image, ImageFormat::Jpeg).into());
    let spec = photograph();
    let small = decode(&picture, Wanted::by(spec, Framing::Auto), u64::MAX).unwrap();
    assert_eq!((small.width, small.height), (1500, 1000));
    let whole = decode(&picture, Channels::Rgb, u64::MAX).unwrap();
    assert_eq!((whole.width, whole.height), (3000, 2000));
    let (small, whole) = (
        spec.fit(small, Framing::Auto).pixels,
        spec.fit(whole, Framing::Auto).pixels,
    );
    let worst = small.iter().zip(&whole).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(worst <= Some(3), "{worst:?}");
}

/// A quarter of these sides is no whole number of pixels, so the last ones hold less of the
/// picture.
#[test]
fn a_reduced_jpeg_of_odd_sides_is_not_stretched() {
    let is_light = |x: u32, y: u32| (x / 60 + y / 60).is_multiple_of(2);
    let board = |x, y| image::Luma([if is_light(x, y) { 255 } else { 0 }]);
    let image = GrayImage::from_fn(2307, 2049, board).into();
    let picture = Picture::Encoded(file(&image, ImageFormat::Jpeg).into());
    let spec = photograph();
    let small = decode(&picture, Wanted::by(spec, Framing::Auto), u64::MAX).unwrap();
    assert_eq!((small.width, small.height), (577, 513));
    let whole = decode(&picture, Channels::Rgb, u64::MAX).unwrap();
    let [small, whole] = [small, whole].map(|it| spec.fit(it, Framing::Auto).pixels);
    let worst = small.iter().zip(&whole).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(worst <= Some(12), "{worst:?}");
}

#[test]
fn webp_with_and_without_alpha() {
    let image = gradient(40, 30);
    let encoded = Picture::Encoded(file(&image, ImageFormat::WebP).into());
    let rgb = decode(&encoded, Channels::Rgb, LIMIT).unwrap();
    assert_eq!(rgb.data, image.to_rgb8().into_raw());
    let clear = RgbaImage::from_pixel(2, 2, Rgba([9, 9, 9, 0])).into();
    let encoded = Picture::Encoded(file(&clear, ImageFormat::WebP).into());
    let over = decode(&encoded, Wanted::by(photograph(), Framing::Auto), LIMIT).unwrap();
    assert_eq!(over.data[..3], [0, 128, 255], "the model's own ground");
    let cut = file(&image, ImageFormat::WebP);
    let cut = Picture::Encoded(Bytes::copy_from_slice(&cut[..cut.len() / 2]));
    let bad = decode(&cut, Channels::Rgb, LIMIT).unwrap_err();
    assert!(bad.description.starts_with("cannot be decoded"), "{bad:?}");
}

/// Pillow wrote the file, `Image.new("CMYK", (8, 8), (200, 30, 90, 20))`, and reads RGB 51, 207, 152
/// of it.
#[test]
fn cmyk_becomes_what_pillow_makes_of_it() {
    let picture = Picture::Encoded(Bytes::from_static(include_bytes!(
        "../../../../tests/data/cmyk.jpg"
    )));
    let rgb = decode(&picture, Channels::Rgb, LIMIT).unwrap();
    for (found, expected) in rgb.data[..3].iter().zip([51, 207, 152_u8]) {
        assert!(found.abs_diff(expected) <= 2, "{:?}", &rgb.data[..3]);
    }
}

#[test]
fn a_picture_of_one_pixel_is_enlarged() {
    let picture = Picture::Encoded(png(
        &RgbImage::from_pixel(1, 1, image::Rgb([1, 2, 3])).into()
    ));
    let spec = photograph();
    let pixel = decode(&picture, Wanted::by(spec, Framing::Auto), LIMIT).unwrap();
    let row = spec.fit(pixel, Framing::Auto).pixels;
    assert!(
        row.as_chunks::<3>()
            .0
            .iter()
            .all(|pixel| *pixel == [1, 2, 3])
    );
}

/// 16-bit RGBA takes eight bytes a pixel: more than three of the bound.
#[test]
fn memory_is_bounded_beside_pixels() {
    let mut file = bomb(8_000, 8_000).to_vec();
    // Bit depth and colour type.
    file[24..26].copy_from_slice(&[16, 6]);
    let crc = crc32(&file[12..29]);
    file[29..33].copy_from_slice(&crc.to_be_bytes());
    let bad = decode(&Picture::Encoded(file.into()), Channels::Rgb, 1 << 26).unwrap_err();
    assert_eq!(
        bad.description,
        "takes 512000000 bytes to decode; at most 201326592 are allowed"
    );
}

#[test]
fn a_canvas_over_the_limit_is_refused_from_its_header() {
    for (width, height) in [
        (1_001, 1_000),
        (100_000, 100_000),
        (u32::MAX >> 1, 1),
        (65_535, 65_535),
    ] {
        let picture = Picture::Encoded(bomb(width, height));
        let bad = decode(&picture, Channels::Grey, LIMIT).unwrap_err();
        assert_eq!(bad.field, "encoded");
        assert!(pixels(&picture, LIMIT).is_err());
    }
}

/// A megabyte of a colour profile, packed into a kilobyte, before the pixels of a small picture.
#[test]
fn a_colour_profile_far_larger_than_its_file_is_not_inflated() {
    let mut file = Vec::new();
    let mut encoder = image::codecs::png::PngEncoder::new(&mut file);
    encoder.set_icc_profile(vec![0; 1 << 20]).unwrap();
    let levels = [9; 28 * 28];
    let colour = image::ExtendedColorType::L8;
    encoder.write_image(&levels, 28, 28, colour).unwrap();
    assert!(file.len() < 8 * 1024, "{}", file.len());

    {
        let (mut decoder, _) = open(&file, 16 * LIMIT).unwrap();
        assert_eq!(decoder.icc_profile().unwrap(), None);
    }
    let grey = decode(&Picture::Encoded(file.into()), Channels::Grey, 16 * LIMIT).unwrap();
    assert_eq!(grey.data, levels);
}

#[test]
fn bad_pictures_are_named_by_field() {
    let encoded = |bytes: &'static [u8]| Picture::Encoded(Bytes::from_static(bytes));
    for (picture, field, words) in [
        (
            encoded(b""),
            "encoded",
            "0 bytes that are neither PNG, JPEG nor WebP",
        ),
        (
            encoded(b"GIF89a"),
            "encoded",
            "is GIF (6 bytes); PNG, JPEG and WebP are allowed",
        ),
        (
            encoded(b"\x89PNG\r\n\x1a\n"),
            "encoded",
            "cannot be decoded",
        ),
        (encoded(b"\xff\xd8\xff"), "encoded", "cannot be decoded"),
        (raw(0, 28, 1, 0), "raw.width", "at least 1"),
        (raw(28, 0, 1, 0), "raw.height", "at least 1"),
        (raw(28, 28, 0, 0), "raw.channels", "is 0; 1 (grey)"),
        (raw(28, 28, 5, 28 * 28 * 5), "raw.channels", "is 5"),
        (
            raw(28, 28, 1, 783),
            "raw.data",
            "holds 783 bytes; 28x28 pixels of 1 channels are 784",
        ),
        (
            raw(u32::MAX, u32::MAX, 4, 10),
            "raw",
            "is 4294967295x4294967295 pixels; at most 1000000",
        ),
        (
            raw(1_001, 1_000, 1, 1_001_000),
            "raw",
            "is 1001x1000 pixels; at most 1000000",
        ),
    ] {
        let bad = decode(&picture, Channels::Grey, LIMIT).unwrap_err();
        assert_eq!(bad.field, field, "{bad:?}");
        assert!(bad.description.contains(words), "{bad:?}");
    }
}

#[test]
fn a_jpeg_cut_before_an_end_marker_is_refused() {
    let colours = gradient(160, 120);
    for image in [DynamicImage::ImageLuma8(colours.to_luma8()), colours] {
        let whole = file(&image, ImageFormat::Jpeg);
        decode(
            &Picture::Encoded(whole.clone().into()),
            Channels::Rgb,
            LIMIT,
        )
        .unwrap();
        for part in 1..10 {
            let kept = 700 + (whole.len() - 700) * part / 10;
            let cut = [&whole[..kept], b"\xFF\xD9"].concat();
            let bad = decode(&Picture::Encoded(cut.into()), Channels::Rgb, LIMIT).unwrap_err();
            assert!(bad.description.contains("is cut off"), "{part}: {bad:?}");
        }
    }
}

proptest! {
    /// A good file with bytes changed and its end cut off is decoded or refused, never a panic.
    #[test]
    fn mutated_files_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        keep in 0.0..1.0_f64,
        jpeg in any::<bool>(),
    ) {
        let image = image::GrayImage::from_fn(20, 20, |x, y| image::Luma([(x * y) as u8]));
        let mut file = Vec::new();
        let (data, width, height) = (image.as_raw(), image.width(), image.height());
        let colour = image::ExtendedColorType::L8;
        if jpeg {
            image::codecs::jpeg::JpegEncoder::new(&mut file).write_image(data, width, height, colour).unwrap();
        } else {
            image::codecs::png::PngEncoder::new(&mut file).write_image(data, width, height, colour).unwrap();
        }
        for (index, byte) in changes {
            let at = index.index(file.len());
            file[at] = byte;
        }
        file.truncate((file.len() as f64 * (1.0 - keep * keep)) as usize);
        let _ = decode(&Picture::Encoded(file.into()), Channels::Grey, LIMIT);
    }
}
