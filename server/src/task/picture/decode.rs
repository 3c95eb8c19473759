//! From a file or pixels to the pixels that a model takes. Sizes are checked before anything is
//! allocated.

use std::borrow::Cow;
use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use quintet_bundle::image::{Channels, Colours, Pixels};
use quintet_proto::v1::RawImage;

use super::{Picture, jpeg};
use crate::error::Violation;

/// The number of pixels of a picture, from a file's header alone.
///
/// # Errors
/// The picture is malformed, or has more than `max_pixels`.
pub fn pixels(picture: &Picture, max_pixels: u64) -> Result<u64, Violation> {
    match picture {
        Picture::Encoded(file) => Ok(open(file, max_pixels)?.1),
        Picture::Raw(raw) => raw_pixels(raw, max_pixels),
    }
}

/// Decodes a picture, in the channels that a model takes.
///
/// # Errors
/// The picture is malformed, or has more than `max_pixels`.
pub fn decode(
    picture: &Picture,
    wanted: impl Into<Colours>,
    max_pixels: u64,
) -> Result<Pixels, Violation> {
    let wanted = wanted.into();
    let file = match picture {
        Picture::Raw(raw) => {
            raw_pixels(raw, max_pixels)?;
            let size = (raw.width, raw.height);
            return Pixels::of(size, raw.channels as u8, &raw.data, wanted)
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
    // EXIF's orientation; a file with a malformed one is still a picture.
    let orientation = decoder.orientation().ok();
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| undecodable(&error))?;
    if is_jpeg && ends_in_grey(&image) {
        jpeg::check_every_code(&file).map_err(|missing| cut_off(&missing))?;
    }
    if let Some(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    let size = (image.width(), image.height());
    let (channels, pixels) = match image {
        DynamicImage::ImageLuma8(grey) if is_grey(wanted) => return Ok(grey.into()),
        DynamicImage::ImageLuma8(grey) => (1, grey.into_raw()),
        DynamicImage::ImageLumaA8(image) => (2, image.into_raw()),
        DynamicImage::ImageRgb8(image) => (3, image.into_raw()),
        mut other => {
            stretch_small_levels(&mut other);
            (4, other.into_rgba8().into_raw())
        }
    };
    Pixels::of(size, channels, &pixels, wanted)
        .map_err(|error| Violation::new("encoded", error.to_string()))
}

/// Whether the last row is what the decoder fills rows with for which it finds no data.
fn ends_in_grey(image: &DynamicImage) -> bool {
    let bytes = image.as_bytes();
    let row = bytes.len() / image.height().max(1) as usize;
    bytes[bytes.len() - row..].iter().all(|&level| level == 128)
}

/// Whether grey levels stay as they are.
fn is_grey(wanted: Colours) -> bool {
    matches!(wanted, Colours::Ink | Colours::Channels(Channels::Grey))
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
        format!("is cut off: {missing}; the whole file is needed"),
    )
}

fn undecodable(error: &ImageError) -> Violation {
    Violation::new("encoded", format!("cannot be decoded: {error}"))
}

/// Bytes of RGBA of 16 bits a channel.
const WIDEST_PIXEL: u64 = 8;
/// Room for what a PNG holds beside its pixels, above the file's own size.
const PNG_SLACK: u64 = 64 * 1024;

/// Reads the file's header: the decoder of the rest, and the number of pixels if it is within
/// `max_pixels`.
fn open(file: &[u8], max_pixels: u64) -> Result<(impl ImageDecoder, u64), Violation> {
    let format = image::guess_format(file).ok();
    let Some(format @ (ImageFormat::Png | ImageFormat::Jpeg)) = format else {
        let words = format!("is {} bytes that are neither PNG nor JPEG", file.len());
        return Err(Violation::new("encoded", words));
    };
    let canvas = match format {
        ImageFormat::Png => within("encoded", png_canvas(file).unwrap_or_default(), max_pixels)?
            .saturating_add((file.len() as u64 + PNG_SLACK) / WIDEST_PIXEL),
        _ => max_pixels,
    };
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(canvas.saturating_mul(WIDEST_PIXEL));
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|error| undecodable(&error))?;
    let pixels = within("encoded", decoder.dimensions(), max_pixels)?;
    Ok((decoder, pixels))
}

/// The size in a PNG's first chunk (PNG specification, 11.2.1). It is read before there is a
/// decoder, because a decoder inflates a colour profile, which can be a bomb just as pixels can.
fn png_canvas(file: &[u8]) -> Option<(u32, u32)> {
    let number = |at| Some(u32::from_be_bytes(*file.get(at..)?.first_chunk()?));
    let is_header = file.get(12..16)? == b"IHDR";
    is_header.then_some((number(16)?, number(20)?))
}

/// The pixels of a canvas, if they are not too many.
fn within(
    field: &'static str,
    (width, height): (u32, u32),
    max_pixels: u64,
) -> Result<u64, Violation> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels <= max_pixels {
        return Ok(pixels);
    }
    let words = format!("is {width}x{height} pixels; at most {max_pixels} in all are allowed");
    Err(Violation::new(field, words))
}

/// The number of pixels, which have the size that they should have.
fn raw_pixels(raw: &RawImage, max_pixels: u64) -> Result<u64, Violation> {
    let (width, height, channels, given) = (raw.width, raw.height, raw.channels, raw.data.len());
    for (field, value) in [("raw.width", width), ("raw.height", height)] {
        if value == 0 {
            return Err(Violation::new(field, "is 0; at least 1 is needed"));
        }
    }
    if !(1..=4).contains(&channels) {
        let allowed = "1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA) are allowed";
        let words = format!("is {channels}; {allowed}");
        return Err(Violation::new("raw.channels", words));
    }
    let pixels = within("raw", (width, height), max_pixels)?;
    let expected = u128::from(pixels) * u128::from(channels);
    if given as u128 != expected {
        let words = format!(
            "holds {given} bytes; {width}x{height} pixels of {channels} channels are {expected}"
        );
        return Err(Violation::new("raw.data", words));
    }
    Ok(pixels)
}

#[cfg(test)]
mod tests;
