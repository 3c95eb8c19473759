//! What a picture's header says, and which sizes are taken. All is checked before anything is
//! allocated.

use std::io::Cursor;

use image::{ImageDecoder, ImageFormat, ImageReader, Limits};
use quintet_proto::v1::RawImage;

use super::decode::undecodable;
use super::{Picture, format, jpeg};
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

/// Bytes of RGBA of 16 bits a channel.
const WIDEST_PIXEL: u64 = 8;
/// The bound on the memory of a decoded picture is at least this many bytes.
const LEAST_BOUND: u64 = 128 << 20;
/// Room for what a PNG holds beside its pixels, above the file's own size.
const PNG_SLACK: u64 = 64 * 1024;

/// Reads the file's header: the decoder of the rest, and the number of pixels if it is within
/// `max_pixels`.
pub(super) fn open(file: &[u8], max_pixels: u64) -> Result<(impl ImageDecoder, u64), Violation> {
    let format = format::taken(file).map_err(|words| Violation::new("encoded", words))?;
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

/// Refuses a file that would take too much memory while it is decoded: more than RGB of the largest
/// size does, or [`LEAST_BOUND`].
///
/// A JPEG whose sides are divided by `reduction` takes less, unless it is progressive: the decoder
/// holds the coefficients of all of its scans.
pub(super) fn check_memory(
    (file, decoder): (&[u8], &impl ImageDecoder),
    reduction: u32,
    max_pixels: u64,
) -> Result<(), Violation> {
    let bound = max_pixels.saturating_mul(3).max(LEAST_BOUND);
    let pixels = decoder.total_bytes() / u64::from(reduction * reduction);
    let bytes = pixels.max(jpeg::coefficient_bytes(file));
    if bytes <= bound {
        return Ok(());
    }
    let words = format!("takes {bytes} bytes to decode; at most {bound} are allowed");
    Err(Violation::new("encoded", words))
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
pub(super) fn raw_pixels(raw: &RawImage, max_pixels: u64) -> Result<u64, Violation> {
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
