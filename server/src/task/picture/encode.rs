//! From grey pixels to pictures: PNG files or the pixels themselves, one by one or on a sheet.

use bytes::Bytes;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _, ImageResult};
use quintet_bundle::image::{SIDE, sheet as on_a_sheet, square_columns};
use quintet_proto::v1::RawImage;

use super::Picture;

/// How pixels are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A PNG file of eight bits grey.
    Png,
    /// As they are.
    Raw,
}

/// Grey pixels as a picture.
///
/// # Errors
/// The encoder's; writing to memory gives none.
///
/// # Panics
/// `pixels` are not `width * height` bytes.
pub fn picture(format: Format, width: u32, height: u32, pixels: Bytes) -> ImageResult<Picture> {
    match format {
        Format::Raw => Ok(Picture::Raw(RawImage {
            width,
            height,
            channels: 1,
            data: pixels,
        })),
        Format::Png => {
            let mut file = Vec::new();
            PngEncoder::new(&mut file).write_image(
                &pixels,
                width,
                height,
                ExtendedColorType::L8,
            )?;
            Ok(Picture::Encoded(file.into()))
        }
    }
}

/// One frame of `SIDE * SIDE` pixels as a picture.
///
/// # Errors
/// [`picture`]'s.
pub fn frame(format: Format, frame: Bytes) -> ImageResult<Picture> {
    picture(format, SIDE as u32, SIDE as u32, frame)
}

/// Frames of `SIDE * SIDE` pixels on one sheet, as near to a square as their number allows.
///
/// # Errors
/// [`picture`]'s.
pub fn sheet(format: Format, frames: &[Bytes]) -> ImageResult<Picture> {
    let sheet = on_a_sheet(frames, square_columns(frames.len()));
    let (width, height) = sheet.dimensions();
    picture(format, width, height, sheet.into_raw().into())
}

#[cfg(test)]
mod tests {
    use super::super::Decode as _;
    use super::*;

    #[test]
    fn a_png_holds_the_very_pixels() {
        let pixels: Vec<u8> = (0..SIDE * SIDE).map(|it| (it % 251) as u8).collect();
        let picture = frame(Format::Png, pixels.clone().into()).unwrap();
        let Picture::Encoded(file) = &picture else {
            panic!("{picture:?}");
        };
        let image = image::load_from_memory(file).unwrap();
        assert_eq!(image.color(), image::ColorType::L8);
        assert_eq!(picture.to_grey(1 << 20).unwrap().into_raw(), pixels);
    }

    #[test]
    fn a_sheet_is_one_picture() {
        let frames: Vec<Bytes> = (1..=5).map(|grey| vec![grey; SIDE * SIDE].into()).collect();
        for format in [Format::Raw, Format::Png] {
            let sheet = sheet(format, &frames).unwrap();
            let sheet = sheet.to_grey(1 << 20).unwrap();
            let side = SIDE as u32;
            assert_eq!(sheet.dimensions(), (3 * side, 2 * side));
            assert_eq!(sheet.get_pixel(side, side).0, [5]);
            assert_eq!(sheet.get_pixel(2 * side, side).0, [0]);
        }
    }
}
