//! Shadows that are too small for paper: a hand's, a phone's.
//!
//! `light` takes for paper what is wider than any stroke. A shadow that is narrower stays, and ink
//! that crosses its edge is one patch with it. But ink is darker still, in the shadow and beside it.

use super::ink::Ink;
use super::levels::{Levels, otsu};
use super::light::{less, widest};

/// A shadow is wider than twice this part of the picture's longer side at some place; of strokes
/// with two contrasts, hardly any is.
const RADIUS: f32 = 0.04;
/// The least part of the picture that is as far from the outline of a shadow.
const LEAST: f32 = 0.02;
/// Ink has at least as many times the contrast of a shadow.
const DARKER: f32 = 1.3;

/// The ink without a shadow that was taken for some; `None` if there is no such shadow.
pub(super) fn without_shadow(ink: &Ink) -> Option<Ink> {
    let Levels {
        width,
        height,
        ref data,
    } = ink.contrast;
    let inked: Vec<f32> = data
        .iter()
        .zip(&ink.mask)
        .filter_map(|(contrast, inked)| inked.then_some(*contrast))
        .collect();
    let threshold = otsu(&inked);
    let mean = |is_dark: bool| {
        let (mut sum, mut count) = (0.0, 0);
        for contrast in inked.iter().filter(|it| (**it > threshold) == is_dark) {
            (sum, count) = (sum + contrast, count + 1);
        }
        (count > 0).then(|| sum / count as f32)
    };
    let (shadow, dark) = (mean(false)?, mean(true)?);
    if dark < DARKER * shadow {
        return None;
    }
    let is_shadow =
        |(contrast, inked): (&f32, &bool)| f32::from(u8::from(*inked && *contrast <= threshold));
    let shade: Vec<f32> = data.iter().zip(&ink.mask).map(is_shadow).collect();
    let radius = (width.max(height) as f32 * RADIUS).round() as usize;
    let inner = widest(width, &shade, radius, less);
    let inner = inner.iter().filter(|it| **it > 0.0).count();
    if (inner as f32) < LEAST * data.len() as f32 {
        return None;
    }
    let beyond = data.iter().map(|contrast| (contrast - shadow).max(0.0));
    Ink::of(Levels {
        width,
        height,
        data: beyond.collect(),
    })
}
