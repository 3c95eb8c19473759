//! Light and shadow, taken out of a picture of light paper.
//!
//! The paper's level at a place is what a morphological closing leaves there (Serra 1982): dark
//! things narrower than the window are filled with the level around them, while the straight edge
//! of a shadow stays where it is. Near the picture's edge, where the window ends, light that fades
//! is told from ink by how slowly it does.

use super::findings::{Dropped, Thing};
use super::levels::{Levels, transposed};
use super::patches::patches;

/// Longer side of the picture in which the paper is looked for, in pixels.
const SIDE: usize = 128;
/// The closing's window in longer sides of the picture: no stroke is as thick.
const WINDOW: f32 = 0.4;
/// Paper darker than this counts as that dark, so that its grain is not blown up.
const DARKEST: f32 = 48.0;
/// Light that fades loses at most this part from pixel to pixel. A vignette whose corners have 60 %
/// less light loses 0.05.
const STEEPEST: f32 = 0.1;
/// What has less than this part of the level that such light would have ends at an edge.
const EDGE: f32 = 0.85;
/// What has less than this part of its paper's level is darker.
const DARKER: f32 = 0.97;
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
    let mut paper = closed(width, &levels.data, radius);
    if is_darker_at_edge(levels, &paper) {
        fade(width, &mut paper, &closed_beyond(levels, radius));
    }
    // Beside a shadow's edge the darker side counts.
    widest(width, &paper, 1, less)
}

/// The levels with dark things filled that are narrower than the window. Its middle lies within the
/// picture, so that it fills the rim as well, where light fades towards an edge of the picture.
fn closed(width: usize, data: &[f32], radius: usize) -> Vec<f32> {
    let filled = widest(width, data, radius, greater);
    widest(width, &filled, radius, less)
}

/// The same with windows whose middle lies anywhere. Beyond its edges, the picture goes on as it
/// ends. Light that fades towards an edge stays as it is, but so does wide ink at the edge.
fn closed_beyond(levels: &Levels, radius: usize) -> Vec<f32> {
    let (width, height) = (levels.width, levels.height);
    let mut wider = Vec::with_capacity((width + 2 * radius) * (height + 2 * radius));
    for y in 0..height + 2 * radius {
        let row = y.saturating_sub(radius).min(height - 1);
        let row = &levels.data[row * width..][..width];
        wider.extend(std::iter::repeat_n(row[0], radius));
        wider.extend(row);
        wider.extend(std::iter::repeat_n(row[width - 1], radius));
    }
    let wide = Levels {
        width: width + 2 * radius,
        height: height + 2 * radius,
        data: closed(width + 2 * radius, &wider, radius),
    };
    wide.cut([radius, radius, radius + width, radius + height])
        .data
}

/// Lowers the paper to that of [`closed_beyond`] where light fades as slowly as it does. What ends
/// at an edge is ink, a shadow, or a thing that reaches into the picture.
fn fade(width: usize, paper: &mut [f32], beyond: &[f32]) {
    let slow = slow(width, beyond);
    let lower = paper.iter().zip(beyond);
    let lower: Vec<bool> = lower
        .map(|(paper, beyond)| *beyond < DARKER * paper)
        .collect();
    for patch in patches(width, &lower) {
        let pixels = || patch.pixels.iter().map(|pixel| *pixel as usize);
        if pixels().all(|pixel| slow[pixel] * EDGE <= beyond[pixel]) {
            for pixel in pixels() {
                paper[pixel] = beyond[pixel];
            }
        }
    }
}

/// The least levels that are nowhere below these and fade as slowly as light.
fn slow(width: usize, levels: &[f32]) -> Vec<f32> {
    let mut light = levels.to_vec();
    let reach = |light: &mut [f32], pixel: usize, from: usize| {
        light[pixel] = greater(light[pixel], light[from] * (1.0 - STEEPEST));
    };
    for pixel in 0..light.len() {
        if pixel % width > 0 {
            reach(&mut light, pixel, pixel - 1);
        }
        if pixel >= width {
            reach(&mut light, pixel, pixel - width);
        }
    }
    for pixel in (0..light.len()).rev() {
        if (pixel + 1) % width > 0 {
            reach(&mut light, pixel, pixel + 1);
        }
        if pixel + width < light.len() {
            reach(&mut light, pixel, pixel + width);
        }
    }
    light
}

/// Whether the outermost pixels are darker than their paper.
fn is_darker_at_edge(levels: &Levels, paper: &[f32]) -> bool {
    let (width, last) = (levels.width, levels.data.len() - levels.width);
    let is_dark = |pixel: usize| levels.data[pixel] < DARKER * paper[pixel];
    (0..width).any(|x| is_dark(x) || is_dark(last + x))
        || (0..=last)
            .step_by(width)
            .any(|start| is_dark(start) || is_dark(start + width - 1))
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
