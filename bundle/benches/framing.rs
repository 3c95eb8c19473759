//! A picture to a frame: what a row costs before it can wait for a batch.
//! `cargo bench -p quintet-bundle`.

use divan::{Bencher, black_box};
use quintet_bundle::image::{Colours, Framing, GrayImage, Pixels, SIDE, frame_digit, to_grey};

fn main() {
    divan::main();
}

/// What lies on the paper beside the digit.
#[derive(Debug, Clone, Copy)]
enum Beside {
    Nothing,
    Shadow,
    Grain,
    Rules,
    Desk,
}

/// A dark ring on light paper, in the middle of a square picture of this side.
fn photo(side: u32, beside: Beside) -> GrayImage {
    let centre = f64::from(side) / 2.0;
    GrayImage::from_fn(side, side, |x, y| {
        let radius = (f64::from(x) - centre).hypot(f64::from(y) - centre) / centre;
        let is_ink = (0.4..0.6).contains(&radius);
        let level = match beside {
            Beside::Rules if y % (side / 12) < side / 200 => 80,
            Beside::Desk if x < side / 8 => 60,
            Beside::Shadow if x + y > side => 110,
            Beside::Grain => 180 + ((x * 31) ^ (y * 17)).wrapping_mul(2_654_435_761) % 75,
            _ => 220,
        };
        image::Luma([if is_ink { level / 6 } else { level } as u8])
    })
}

/// What `Framing::Auto` does to a photo, by the photo's side in pixels.
#[divan::bench(args = [28, 200, 280, 1000, 3464])]
fn auto(bencher: Bencher<'_, '_>, side: u32) {
    let photo = photo(side, Beside::Nothing);
    bencher.bench(|| frame_digit(black_box(&photo), Framing::Auto));
}

/// The same for 400 pixels, by what else is in the picture: each needs another step.
#[divan::bench(args = [Beside::Nothing, Beside::Shadow, Beside::Grain, Beside::Rules, Beside::Desk])]
fn auto_beside(bencher: Bencher<'_, '_>, beside: Beside) {
    let photo = photo(400, beside);
    bencher.bench(|| frame_digit(black_box(&photo), Framing::Auto));
}

/// A frame passes: the price of finding out that it is one.
#[divan::bench]
fn auto_passes_a_frame(bencher: Bencher<'_, '_>) {
    let framed = frame_digit(&photo(200, Beside::Nothing), Framing::Auto).to_vec();
    let side = SIDE as u32;
    let framed = GrayImage::from_raw(side, side, framed).expect("a frame has these sides");
    bencher.bench(|| frame_digit(black_box(&framed), Framing::Auto));
}

/// The pixels as they are, by the picture's side; 28 needs no resizing.
#[divan::bench(args = [28, 200])]
fn none(bencher: Bencher<'_, '_>, side: u32) {
    let photo = photo(side, Beside::Nothing);
    bencher.bench(|| frame_digit(black_box(&photo), Framing::None));
}

/// A 200x200 picture to grey, by its channels.
#[divan::bench(args = [1, 2, 3, 4])]
fn grey(bencher: Bencher<'_, '_>, channels: u8) {
    let pixels = vec![128; 200 * 200 * usize::from(channels)];
    bencher.bench(|| to_grey(200, 200, channels, black_box(&pixels)));
}

/// A 200x200 picture of colours to the levels in which its ink stands out, by its channels.
#[divan::bench(args = [3, 4])]
fn ink(bencher: Bencher<'_, '_>, channels: u8) {
    let bytes = 200 * 200 * u32::from(channels);
    let pixels: Vec<u8> = (0..bytes).map(|it| (it * 7 % 251) as u8).collect();
    bencher.bench(|| Pixels::of((200, 200), channels, black_box(&pixels), Colours::Ink));
}
