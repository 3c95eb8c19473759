//! Shadows that are too small for paper: a hand's, a phone's.
//!
//! `light` takes for paper what is wider than any stroke. A shadow that is narrower stays, and ink
//! that crosses its edge is one patch with it. But ink is darker still, in the shadow and beside it.

use super::ink::Ink;
use super::levels::{Levels, otsu};

/// A square of these parts of the longer sides of the picture, of all that was taken for ink and of
/// the shadow fits into a shadow at some place. A thick digit with two contrasts has room for
/// smaller ones only.
const SQUARE: [f32; 3] = [0.085, 0.13, 0.2];
/// The places for such squares are at least this part of the picture's pixels.
const LEAST: f32 = 0.002;
/// The least part of the picture that such a shadow covers: a square is the smallest.
const COVERED: f32 = 0.04;
/// Ink has at least as many times the contrast of a shadow.
const DARKER: f32 = 1.3;
/// Of so many pixels, one is looked at to tell two contrasts apart. An odd step does not stay in one
/// column of most pictures.
const STEP: usize = 3;

/// The ink without a shadow that was taken for some; `None` if there is no such shadow.
pub(super) fn without_shadow(ink: &Ink) -> Option<Ink> {
    let Levels {
        width,
        height,
        ref data,
    } = ink.contrast;
    let pixels = data.iter().zip(&ink.mask).step_by(STEP);
    let inked: Vec<f32> = pixels.filter(|it| *it.1).map(|it| *it.0).collect();
    let threshold = otsu(&inked);
    let (mut sums, mut counts) = ([0.0; 2], [0_usize; 2]);
    for contrast in inked {
        let is_dark = usize::from(contrast > threshold);
        sums[is_dark] += contrast;
        counts[is_dark] += 1;
    }
    let [shadow, dark] = [0, 1].map(|class| sums[class] / counts[class].max(1) as f32);
    let covered = (counts[0] * STEP) as f32;
    if counts[1] == 0 || dark < DARKER * shadow || covered < COVERED * data.len() as f32 {
        return None;
    }
    let is_shadow = |pixel: usize| ink.mask[pixel] && data[pixel] <= threshold;
    let some = || (0..data.len()).step_by(STEP);
    let lengths = [
        width.max(height),
        longer(width, some().filter(|it| ink.mask[*it])),
        longer(width, some().filter(|it| is_shadow(*it))),
    ];
    let sides = SQUARE.iter().zip(lengths);
    let sides = sides.map(|(part, length)| part * length as f32);
    let side = sides.fold(0.0, f32::max).round() as usize;
    if (squares([width, height], side, is_shadow) as f32) < LEAST * data.len() as f32 {
        return None;
    }
    let beyond = data.iter().map(|contrast| (contrast - shadow).max(0.0));
    Ink::of(Levels {
        width,
        height,
        data: beyond.collect(),
    })
}

/// The longer side of the rectangle around these pixels.
fn longer(width: usize, pixels: impl Iterator<Item = usize>) -> usize {
    let (mut across, mut down) = ((usize::MAX, 0), (usize::MAX, 0));
    for pixel in pixels {
        let (x, y) = (pixel % width, pixel / width);
        across = (across.0.min(x), across.1.max(x + 1));
        down = (down.0.min(y), down.1.max(y + 1));
    }
    let length = |(start, end): (usize, usize)| end.saturating_sub(start);
    length(across).max(length(down))
}

/// How many squares of this side lie wholly inside of what `is_inside`.
fn squares([width, height]: [usize; 2], side: usize, is_inside: impl Fn(usize) -> bool) -> usize {
    // How many rows up to this one have `side` such pixels up to each column.
    let mut rows = vec![0; width];
    let mut squares = 0;
    for start in (0..height).map(|y| y * width) {
        let mut run = 0;
        for (x, rows) in rows.iter_mut().enumerate() {
            run = if is_inside(start + x) { run + 1 } else { 0 };
            *rows = if run >= side { *rows + 1 } else { 0 };
            squares += usize::from(*rows >= side);
        }
    }
    squares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_counted_where_they_fit() {
        // Five by four of it, from column 2 and row 1 on, but for one pixel.
        let is_inside = |pixel: usize| {
            let (x, y) = (pixel % 8, pixel / 8);
            (2..7).contains(&x) && (1..5).contains(&y) && (x, y) != (2, 1)
        };
        for (side, count) in [(1, 19), (2, 11), (3, 5), (4, 1), (5, 0)] {
            assert_eq!(squares([8, 6], side, is_inside), count, "{side}");
        }
    }
}
