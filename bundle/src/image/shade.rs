//! Shadows that are too small for paper: a hand's, a phone's.
//!
//! `light` takes for paper what is wider than any stroke. A shadow that is narrower stays, and ink
//! that crosses its edge is one patch with it. But ink is darker still, in the shadow and beside
//! it.

use super::ink::Ink;
use super::levels::{Levels, otsu};

/// The side of the largest square that fits into a shadow, in parts of the picture's longer side
/// and of that of the largest square in ink: strokes are narrower than a shadow. Those of a digit
/// with two contrasts are as wide as each other.
const SQUARE: (f32, f32) = (0.085, 1.4);
/// The least part of the picture that such a shadow covers: a square is the smallest.
const COVERED: f32 = 0.04;
/// Ink has at least as many times the contrast of a shadow.
const DARKER: f32 = 1.3;
/// Every fifth pixel is enough to tell two contrasts apart. An odd step does not stay in one column
/// of most pictures.
const STEP: usize = 5;

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
    let is_dark = |pixel: usize| ink.mask[pixel] && data[pixel] > threshold;
    let size = [width, height];
    let side = largest_square(size, is_shadow) as f32;
    if side < SQUARE.0 * width.max(height) as f32
        || side < SQUARE.1 * largest_square(size, is_dark) as f32
    {
        return None;
    }
    let beyond = data.iter().map(|contrast| (contrast - shadow).max(0.0));
    Ink::of(Levels {
        width,
        height,
        data: beyond.collect(),
    })
}

/// The side of the largest square that lies wholly inside of what `is_inside`.
fn largest_square([width, height]: [usize; 2], is_inside: impl Fn(usize) -> bool) -> usize {
    let mut largest = 0;
    // The sides of the squares that end at each pixel of the row above, and of this row.
    let (mut above, mut sides) = (vec![0_usize; width], vec![0; width]);
    for start in (0..height).map(|y| y * width) {
        for x in 0..width {
            let before = x.checked_sub(1);
            let least = before.map_or(0, |left| above[x].min(above[left]).min(sides[left]));
            sides[x] = if is_inside(start + x) { least + 1 } else { 0 };
            largest = largest.max(sides[x]);
        }
        std::mem::swap(&mut above, &mut sides);
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_square_fits() {
        // Five by four, from column 2 and row 1 on, but for one pixel.
        let is_inside = |pixel: usize| {
            let (x, y) = (pixel % 8, pixel / 8);
            (2..7).contains(&x) && (1..5).contains(&y) && (x, y) != (2, 1)
        };
        assert_eq!(largest_square([8, 6], is_inside), 4);
        assert_eq!(largest_square([8, 4], is_inside), 3);
        assert_eq!(largest_square([8, 6], |_| false), 0);
        assert_eq!(largest_square([8, 6], |_| true), 6);
    }
}
