//! JPEG files at a half, a quarter or an eighth of their size: the decoder computes only the lower
//! frequencies of each block (T.81, A.3.3), which takes a fraction of the time and memory.

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use jpeg_decoder::{Decoder, PixelFormat};
use quintet_bundle::image::Margins;

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

/// What the last pixels hold beyond a picture of this size, if its sides were divided by `by` and
/// it was then turned.
pub(super) fn margins((width, height): (u32, u32), by: u32, turned: Orientation) -> Margins {
    // `by` is a power of two, up to 8.
    let beyond = |side: u32| ((side.div_ceil(by) * by - side) * 8 / by) as u8;
    let (mut across, mut down) = ([0, beyond(width)], [0, beyond(height)]);
    let (swaps, mirrors_across, mirrors_down) = match turned {
        Orientation::NoTransforms => (false, false, false),
        Orientation::FlipHorizontal => (false, true, false),
        Orientation::Rotate180 => (false, true, true),
        Orientation::FlipVertical => (false, false, true),
        Orientation::Rotate90FlipH => (true, false, false),
        Orientation::Rotate90 => (true, true, false),
        Orientation::Rotate270 => (true, false, true),
        Orientation::Rotate270FlipH => (true, true, true),
    };
    if swaps {
        (across, down) = (down, across);
    }
    if mirrors_across {
        across.reverse();
    }
    if mirrors_down {
        down.reverse();
    }
    Margins { across, down }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pixels beyond a picture of 13 by 9 are white, wherever it is turned to.
    #[test]
    fn margins_turn_with_the_picture() {
        for exif in 1..=8 {
            let turned = Orientation::from_exif(exif).unwrap();
            let white = |x, y| image::Luma([if x == 3 || y == 2 { 255 } else { 0 }]);
            let mut image = DynamicImage::from(GrayImage::from_fn(4, 3, white));
            image.apply_orientation(turned);
            let image = image.into_luma8();
            let Margins { across, down } = margins((13, 9), 4, turned);
            let middle = (image.width() / 2, image.height() / 2);
            let edges = [(0, middle.1), (image.width() - 1, middle.1)];
            let seen = edges.map(|(x, y)| image[(x, y)].0[0] > 0);
            assert_eq!(seen, across.map(|it| it > 0), "{exif} across");
            let edges = [(middle.0, 0), (middle.0, image.height() - 1)];
            let seen = edges.map(|(x, y)| image[(x, y)].0[0] > 0);
            assert_eq!(seen, down.map(|it| it > 0), "{exif} down");
        }
        let by_eight = margins((4097, 4096), 8, Orientation::NoTransforms);
        assert_eq!((by_eight.across, by_eight.down), ([0, 7], [0, 0]));
        let by_two = margins((4097, 4095), 2, Orientation::Rotate90FlipH);
        assert_eq!((by_two.across, by_two.down), ([0, 4], [0, 4]));
    }
}
