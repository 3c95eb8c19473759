//! A picture to a frame: what a row costs before it can wait for a batch. `cargo bench -p quintet-bundle`.

use divan::{Bencher, black_box};
use quintet_bundle::image::{Framing, GrayImage, SIDE, frame_digit, to_grey};

fn main() {
    divan::main();
}

/// A dark ring on light paper, in the middle of a square picture of this side.
fn photo(side: u32) -> GrayImage {
    let centre = f64::from(side) / 2.0;
    GrayImage::from_fn(side, side, |x, y| {
        let radius = (f64::from(x) - centre).hypot(f64::from(y) - centre) / centre;
        let ink = (0.4..0.6).contains(&radius);
        image::Luma([if ink { 30 } else { 220 }])
    })
}

/// What `Framing::Auto` does to a photo, by the photo's side in pixels.
#[divan::bench(args = [28, 200, 1000])]
fn auto(bencher: Bencher<'_, '_>, side: u32) {
    let photo = photo(side);
    bencher.bench(|| frame_digit(black_box(&photo), Framing::Auto));
}

/// A frame passes: the price of finding out that it is one.
#[divan::bench]
fn auto_passes_a_frame(bencher: Bencher<'_, '_>) {
    let framed = frame_digit(&photo(200), Framing::Auto).to_vec();
    let side = SIDE as u32;
    let framed = GrayImage::from_raw(side, side, framed).expect("a frame has these sides");
    bencher.bench(|| frame_digit(black_box(&framed), Framing::Auto));
}

/// The pixels as they are, by the picture's side; 28 needs no resizing.
#[divan::bench(args = [28, 200])]
fn none(bencher: Bencher<'_, '_>, side: u32) {
    let photo = photo(side);
    bencher.bench(|| frame_digit(black_box(&photo), Framing::None));
}

/// A 200x200 picture to grey, by its channels.
#[divan::bench(args = [1, 2, 3, 4])]
fn grey(bencher: Bencher<'_, '_>, channels: u8) {
    let pixels = vec![128; 200 * 200 * usize::from(channels)];
    bencher.bench(|| to_grey(200, 200, channels, black_box(&pixels)));
}
