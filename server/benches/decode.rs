//! Bytes to a picture. `cargo bench -p quintet-server --bench decode`.

use std::io::Cursor;

use bytes::Bytes;
use divan::{Bencher, black_box};
use image::{DynamicImage, ImageFormat, RgbImage};
use quintet_bundle::image::{Channels, Filter, Fit, Framing, ImageSpec, WHITE};
use quintet_server::task::picture::{self, ImageFormat as Encoding, Picture, Wanted, decode};

const MAX_PIXELS: u64 = 1 << 24;

fn main() {
    divan::main();
}

/// A square picture with something in every pixel.
fn picture(side: u32) -> DynamicImage {
    let pixel = |x, y| image::Rgb([(x * 7) as u8, (y * 5) as u8, (x ^ y) as u8]);
    RgbImage::from_fn(side, side, pixel).into()
}

fn file(picture: &DynamicImage, format: ImageFormat) -> Picture {
    let mut file = Cursor::new(Vec::new());
    picture
        .write_to(&mut file, format)
        .expect("a picture can be written to memory");
    Picture::Encoded(file.into_inner().into())
}

/// A grey PNG of a frame's size, as MNIST pictures are usually kept.
#[divan::bench]
fn png_frame(bencher: Bencher<'_, '_>) {
    let file = file(&picture(28).to_luma8().into(), ImageFormat::Png);
    bencher.bench(|| decode(black_box(&file), Channels::Grey, MAX_PIXELS));
}

/// By side.
#[divan::bench(args = [200, 1000])]
fn png(bencher: Bencher<'_, '_>, side: u32) {
    let file = file(&picture(side), ImageFormat::Png);
    bencher.bench(|| decode(black_box(&file), Channels::Grey, MAX_PIXELS));
}

/// By side.
#[divan::bench(args = [28, 200, 1000])]
fn jpeg(bencher: Bencher<'_, '_>, side: u32) {
    let file = file(&picture(side), ImageFormat::Jpeg);
    bencher.bench(|| decode(black_box(&file), Channels::Grey, MAX_PIXELS));
}

/// A photograph from a file to a row of 224x224 pixels, by megapixels: `bench/pillow.py` measures
/// Pillow on the same work.
#[divan::bench(args = [0, 12, 24, 50])]
fn photograph(bencher: Bencher<'_, '_>, megapixels: u32) {
    let (width, height) = match megapixels {
        0 => (640, 427),
        12 => (4032, 3024),
        24 => (5664, 4248),
        _ => (8160, 6144),
    };
    let level = |at: u32, of: u32| (at * 255 / of) as u8;
    let grain = |x: u32, y: u32| ((x * 31 ^ y * 17) % 13) as u8;
    let pixel = |x, y| {
        let grain = grain(x, y);
        let colours = [
            level(x, width),
            level(y, height),
            level(x + y, width + height),
        ];
        image::Rgb(colours.map(|it| it.saturating_add(grain)))
    };
    let image: DynamicImage = RgbImage::from_fn(width, height, pixel).into();
    let file = file(&image, ImageFormat::Jpeg);
    let spec = ImageSpec {
        width: 224,
        height: 224,
        channels: Channels::Rgb,
        fit: Fit::Crop {
            shorter_side: 256,
            filter: Filter::Bilinear,
        },
        background: WHITE,
    };
    bencher.bench(|| {
        let wanted = Wanted::by(spec, Framing::Auto);
        decode(black_box(&file), wanted, 1 << 26).map(|pixels| spec.fit(pixels, Framing::Auto))
    });
}

/// Grey pixels of a frame's size: the commonest request of a caller in a hurry.
#[divan::bench]
fn raw_frame(bencher: Bencher<'_, '_>) {
    let pixels = Bytes::from(picture(28).to_luma8().into_raw());
    let raw = picture::picture(Encoding::Raw, [28, 28], pixels).expect("pixels are not encoded");
    bencher.bench(|| decode(black_box(&raw), Channels::Grey, MAX_PIXELS));
}
