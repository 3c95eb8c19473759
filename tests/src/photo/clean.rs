//! Nothing but a digit.

use image::imageops::FilterType;
use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma};

use super::page::Page;
use super::{Drawing, Kind, Rng, between, kind};

pub(super) const KINDS: [Kind; 6] = [
    kind("clean", 0.97, |digit, rng| Page::plain(digit, rng).png()),
    kind("clean, light on dark", 0.97, chalk),
    kind("faint pencil", 0.97, pencil),
    kind("16 bits that hold 0 to 255", 0.97, sixteen_bits),
    kind("28x28 with a border line", 0.95, small_with_border),
    kind("28x28 enlarged without sharpening", 0.97, enlarged),
];

fn chalk(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    let (board, chalk) = (between(rng, 0.0, 60.0), between(rng, 190.0, 255.0));
    Page::of(digit, board, chalk).png()
}

fn pencil(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    let mut page = Page::of(digit, 235.0, between(rng, 150.0, 190.0));
    page.grain(3.0, rng);
    page.png()
}

fn sixteen_bits(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    let page = Page::plain(digit, rng).image();
    let pixel = |x, y| Luma([u16::from(page.get_pixel(x, y).0[0])]);
    let picture = ImageBuffer::from_fn(page.width(), page.height(), pixel);
    encode(&DynamicImage::ImageLuma16(picture))
}

/// MNIST's own pixels as most programs enlarge them, dark or light.
fn enlarged(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    let frame = digit.frame.clone().unwrap_or_else(|| vec![0; 28 * 28]);
    let frame = GrayImage::from_raw(28, 28, frame).expect("a frame has 28x28 pixels");
    let filter = [FilterType::Triangle, FilterType::CatmullRom][rng.usize(0..2)];
    let side = digit.width as u32;
    let mut picture = image::imageops::resize(&frame, side, side, filter);
    if rng.bool() {
        image::imageops::invert(&mut picture);
    }
    crate::png(&picture)
}

/// MNIST's own pixels, dark or light, inside a line.
fn small_with_border(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    let frame = digit.frame.clone().unwrap_or_else(|| vec![0; 28 * 28]);
    let (is_dark, line) = (rng.bool(), if rng.bool() { 255.0 } else { 128.0 });
    let mut page = Page::new(28, 28, 0.0);
    page.each(|x, y, _| f32::from(frame[y * 28 + x]));
    page.outline([0, 0, 28, 28], 1, line);
    page.each(|_, _, level| if is_dark { 255.0 - level } else { level });
    page.png()
}

/// Any picture as a PNG file.
pub(super) fn encode(picture: &DynamicImage) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    let written = picture.write_to(&mut file, ImageFormat::Png);
    written.expect("memory can be written to");
    file.into_inner()
}
