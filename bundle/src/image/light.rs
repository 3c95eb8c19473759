//! Light and shadow, taken out of a picture of light paper.
//!
//! The paper's level at a place is what a morphological closing leaves there (Serra 1982): dark
//! things narrower than the window are filled with the level around them, while the straight edge
//! of a shadow stays where it is.

use super::findings::{Dropped, Thing};
use super::levels::{Levels, transposed};

/// Longer side of the picture in which the paper is looked for, in pixels.
const SIDE: usize = 128;
/// The closing's window in longer sides of the picture: no stroke is as thick.
const WINDOW: f32 = 0.4;
/// Paper darker than this counts as that dark, so that its grain is not blown up.
const DARKEST: f32 = 48.0;
/// Paper with less than this part of its light somewhere lies in a shadow.
const SHADOW: f32 = 0.75;

/// How much of the paper's light is missing at each pixel, from 0 to 255.
pub(super) fn missing(levels: &Levels, dropped: &mut Dropped) -> Levels {
    let (small, factor) = levels.shrunk(SIDE);
    let paper = paper(&small);
    let darkest = paper.iter().copied().fold(f32::MAX, f32::min);
    let lightest = paper.iter().copied().fold(0.0, f32::max);
    dropped.add(Thing::Shadow, usize::from(darkest < SHADOW * lightest));
    let mut missing = levels.clone();
    for (y, row) in missing.data.chunks_exact_mut(levels.width).enumerate() {
        let paper = &paper[y / factor * small.width..][..small.width];
        for (pixels, &paper) in row.chunks_mut(factor).zip(paper) {
            for level in pixels {
                *level = (paper - *level) / paper.max(DARKEST) * 255.0;
            }
        }
    }
    missing
}

/// The paper's level at each pixel.
fn paper(levels: &Levels) -> Vec<f32> {
    let (width, height) = (levels.width, levels.height);
    let radius = (width.max(height) as f32 * WINDOW) as usize / 2;
    let filled = widest(width, &levels.data, radius, greater);
    let closed = widest(width, &filled, radius, less);
    // Beside a shadow's edge the darker side counts.
    widest(width, &closed, 1, less)
}

/// `f32::max` for numbers alone, which is one instruction for several of them.
fn greater(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

fn less(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// The greatest, or least, level of the square that reaches `radius` pixels from each pixel.
fn widest(
    width: usize,
    data: &[f32],
    radius: usize,
    of: impl Fn(f32, f32) -> f32 + Copy,
) -> Vec<f32> {
    let height = data.len() / width;
    let down = along_columns(width, data, radius, of);
    let turned = transposed(width, &down);
    transposed(height, &along_columns(height, &turned, radius, of))
}

/// The same for the pixels in the same column: by running values over blocks of the window's size
/// from both ends (van Herk 1992), so that the window's size costs nothing. Whole rows are compared
/// at once.
fn along_columns(
    width: usize,
    data: &[f32],
    radius: usize,
    of: impl Fn(f32, f32) -> f32 + Copy,
) -> Vec<f32> {
    let (window, height) = (2 * radius + 1, data.len() / width);
    let padded = height + 2 * radius;
    // Outside, the column's own ends count, which changes nothing.
    let at = |y: usize| {
        let row = y.saturating_sub(radius).min(height - 1);
        &data[row * width..][..width]
    };
    let (mut forward, mut backward) = (vec![0.0; padded * width], vec![0.0; padded * width]);
    for y in 0..padded {
        let (before, row) = forward.split_at_mut(y * width);
        let row = &mut row[..width];
        if y % window == 0 {
            row.copy_from_slice(at(y));
        } else {
            pairs(row, &before[(y - 1) * width..], at(y), of);
        }
    }
    for y in (0..padded).rev() {
        let (row, after) = backward[y * width..].split_at_mut(width);
        if (y + 1) % window == 0 || after.is_empty() {
            row.copy_from_slice(at(y));
        } else {
            pairs(row, after, at(y), of);
        }
    }
    let mut result = vec![0.0; data.len()];
    let ahead = &forward[(window - 1) * width..];
    pairs(&mut result, &backward, ahead, of);
    result
}

/// Combines two lists, number by number.
fn pairs(result: &mut [f32], a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> f32) {
    for ((result, a), b) in result.iter_mut().zip(a).zip(b) {
        *result = of(*a, *b);
    }
}
