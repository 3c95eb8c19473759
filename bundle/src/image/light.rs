//! Light and shadow, taken out of a picture of light paper.
//!
//! The paper's level at a place is what a morphological closing leaves there (Serra 1982): dark
//! things narrower than the window are filled with the level around them, while the straight edge
//! of a shadow stays where it is.

use super::levels::{Levels, transposed};

/// Longer side of the picture in which the paper is looked for, in pixels.
const SIDE: usize = 128;
/// The closing's window in longer sides of the picture: no stroke is as thick.
const WINDOW: f32 = 0.4;
/// Paper darker than this counts as that dark, so that its grain is not blown up.
const DARKEST: f32 = 48.0;

/// How much of the paper's light is missing at each pixel, from 0 to 255.
pub(super) fn missing(levels: &Levels) -> Levels {
    let (small, factor) = levels.shrunk(SIDE);
    let paper = paper(&small);
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
    let filled = widest(width, &levels.data, radius, f32::max);
    let closed = widest(width, &filled, radius, f32::min);
    // Beside a shadow's edge the darker side counts.
    widest(width, &closed, 1, f32::min)
}

/// The greatest, or least, level of the square that reaches `radius` pixels from each pixel.
fn widest(width: usize, data: &[f32], radius: usize, of: fn(f32, f32) -> f32) -> Vec<f32> {
    let across = along_rows(width, data, radius, of);
    let turned = transposed(width, &across);
    let height = data.len() / width;
    transposed(height, &along_rows(height, &turned, radius, of))
}

/// The same for the pixels in the same row: by running values over blocks of the window's size
/// from both ends (van Herk 1992), so that the window's size costs nothing.
fn along_rows(width: usize, data: &[f32], radius: usize, of: fn(f32, f32) -> f32) -> Vec<f32> {
    let window = 2 * radius + 1;
    let padded = width + 2 * radius;
    let (mut forward, mut backward) = (vec![0.0; padded], vec![0.0; padded]);
    let mut result = Vec::with_capacity(data.len());
    for row in data.chunks_exact(width) {
        // Outside, the row's own ends count, which changes nothing.
        let at = |x: usize| {
            let low = x.saturating_sub(radius);
            row[low.min(width - 1)]
        };
        for x in 0..padded {
            forward[x] = if x % window == 0 {
                at(x)
            } else {
                of(forward[x - 1], at(x))
            };
        }
        for x in (0..padded).rev() {
            let is_end = (x + 1) % window == 0 || x + 1 == padded;
            backward[x] = if is_end {
                at(x)
            } else {
                of(backward[x + 1], at(x))
            };
        }
        result.extend((0..width).map(|x| of(backward[x], forward[x + window - 1])));
    }
    result
}
