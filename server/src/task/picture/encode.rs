//! From grey pixels to pictures: PNG files or the pixels themselves, one by one or on a sheet.

use bytes::Bytes;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _, ImageResult};
use quintet_bundle::image::{sheet as on_a_sheet, square_columns};
use quintet_proto::v1::RawImage;

use super::{ImageFormat, Picture};

/// Grey pixels of this width and height as a picture: a PNG file unless the format is raw.
///
/// # Errors
/// The encoder's; writing to memory gives none.
///
/// # Panics
/// `pixels` are not `width * height` bytes.
pub fn picture(format: ImageFormat, size: [usize; 2], pixels: Bytes) -> ImageResult<Picture> {
    let [width, height] = size.map(|side| side as u32);
    if format == ImageFormat::Raw {
        return Ok(Picture::Raw(RawImage {
            width,
            height,
            channels: 1,
            data: pixels,
        }));
    }
    let mut file = Vec::new();
    PngEncoder::new(&mut file).write_image(&pixels, width, height, ExtendedColorType::L8)?;
    Ok(Picture::Encoded(file.into()))
}

/// Grey pictures of one size (width, height) on one sheet, as near to a square as their number
/// allows.
///
/// # Errors
/// [`picture`]'s.
pub fn sheet(format: ImageFormat, pictures: &[Bytes], size: [usize; 2]) -> ImageResult<Picture> {
    let sheet = on_a_sheet(pictures, size, square_columns(pictures.len()));
    let size = [sheet.width() as usize, sheet.height() as usize];
    picture(format, size, sheet.into_raw().into())
}

#[cfg(test)]
mod tests {
    use quintet_bundle::image::Channels;

    use super::super::decode;
    use super::*;

    #[test]
    fn a_png_holds_the_very_pixels() {
        let pixels: Vec<u8> = (0..20 * 30).map(|it| (it % 251) as u8).collect();
        let picture = picture(ImageFormat::Png, [20, 30], pixels.clone().into()).unwrap();
        let Picture::Encoded(file) = &picture else {
            panic!("{picture:?}");
        };
        let image = image::load_from_memory(file).unwrap();
        assert_eq!(image.color(), image::ColorType::L8);
        assert_eq!(
            decode(&picture, Channels::Grey, 1 << 20).unwrap().data,
            pixels
        );
    }

    #[test]
    fn a_sheet_is_one_picture() {
        let frames: Vec<Bytes> = (1..=5).map(|grey| vec![grey; 20 * 30].into()).collect();
        for format in [ImageFormat::Raw, ImageFormat::Png] {
            let sheet = sheet(format, &frames, [20, 30]).unwrap();
            let sheet = decode(&sheet, Channels::Grey, 1 << 20).unwrap();
            assert_eq!((sheet.width, sheet.height), (60, 60));
            let level = |x: usize, y: usize| sheet.data[y * 60 + x];
            assert_eq!([level(0, 0), level(20, 30), level(40, 30)], [1, 5, 0]);
        }
    }
}
