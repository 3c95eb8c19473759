//! JPEG files at a half, a quarter or an eighth of their size: the decoder computes only the lower
//! frequencies of each block (T.81, A.3.3), which takes a fraction of the time and memory.

use image::{DynamicImage, GrayImage, RgbImage};
use jpeg_decoder::{Decoder, PixelFormat};

/// The picture with its sides divided by `by`, rounded up. `None`: it is not grey or RGB of 8 bits,
/// or the decoder refuses it, so that it must be decoded as a whole.
pub(super) fn decode(file: &[u8], by: u32) -> Option<DynamicImage> {
    let by = u16::try_from(by).ok()?;
    let mut decoder = Decoder::new(file);
    decoder.read_info().ok()?;
    let info = decoder.info()?;
    let (width, height) = decoder
        .scale(info.width.div_ceil(by), info.height.div_ceil(by))
        .ok()?;
    let pixels = decoder.decode().ok()?;
    let (width, height) = (width.into(), height.into());
    match info.pixel_format {
        PixelFormat::L8 => Some(GrayImage::from_raw(width, height, pixels)?.into()),
        PixelFormat::RGB24 => Some(RgbImage::from_raw(width, height, pixels)?.into()),
        PixelFormat::L16 | PixelFormat::CMYK32 => None,
    }
}
