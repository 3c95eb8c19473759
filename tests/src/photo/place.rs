//! Digits that are tiny, or that fill their picture to its edges.

use super::page::Page;
use super::{Drawing, Kind, Rng, between, kind};

pub(super) const KINDS: [Kind; 2] = [
    kind("digit of 30 pixels in 2000", 0.95, tiny),
    kind("cut out so that it touches the edges", 0.95, tight),
];

fn tiny(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    // The box of a digit is 20 of a frame's 28 pixels.
    let small = match &digit.frame {
        Some(frame) => Drawing::redrawn(frame, 42),
        None => digit.clone(),
    };
    let mut page = Page::new(2000, 2000, between(rng, 235.0, 255.0));
    let place = [(); 2].map(|()| rng.usize(0..2000 - small.width) as isize);
    page.draw(&small, place, between(rng, 0.0, 60.0));
    page.png()
}

/// Touches all four edges, or any of them.
fn tight(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    let [left, top, right, bottom] = digit.bounds();
    let margins = [(); 4].map(|()| rng.usize(0..40) * rng.usize(0..2));
    let (width, height) = (right - left, bottom - top);
    let paper = between(rng, 235.0, 255.0);
    let (wide, high) = (
        margins[0] + width + margins[2],
        margins[1] + height + margins[3],
    );
    let mut page = Page::new(wide, high, paper);
    let place = [
        margins[0] as isize - left as isize,
        margins[1] as isize - top as isize,
    ];
    page.draw(digit, place, between(rng, 0.0, 60.0));
    page.png()
}
