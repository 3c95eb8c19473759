//! Where ink begins, on paper whose light is even.

use super::levels::{Levels, Region, otsu, quantile};

/// Grey levels that ink must stand out from the paper; faint pencil has about 40.
const MIN_CONTRAST: f32 = 16.0;
/// Ink must also stand out from the grain of the paper by this many standard deviations.
const MIN_SIGNAL: f32 = 6.0;

/// Ink on empty ground.
pub(super) struct Ink {
    /// How far each pixel stands out from the paper.
    pub(super) contrast: Levels,
    /// Which pixels count as ink.
    pub(super) mask: Vec<bool>,
    /// Contrast that is grain.
    pub(super) floor: f32,
}

impl Ink {
    /// Finds ink by its contrast; `None` where nothing stands out.
    pub(super) fn of(mut contrast: Levels) -> Option<Self> {
        // The least contrasts are the paper's, however much ink there is. From a normal
        // distribution's 8th to its 30th percentile is 0.9 standard deviations; with half of the
        // picture covered, it is 1.1.
        let low = |share| quantile(&contrast.data, share).unwrap_or(0.0);
        let (paper, below) = (low(0.3), low(0.08));
        let noise = paper - below;
        // Rounding alone is no grain.
        let noise = if noise < 0.1 { 0.0 } else { noise };
        for contrast in &mut contrast.data {
            *contrast = (*contrast - paper).max(0.0);
        }
        let threshold = otsu(&contrast.data);
        let above = contrast
            .data
            .iter()
            .filter(|contrast| **contrast > threshold);
        let above: Vec<f32> = above.copied().collect();
        let full = quantile(&above, 0.5)?;
        if full < MIN_CONTRAST || full < MIN_SIGNAL * noise {
            return None;
        }
        // Thin anti-aliased lines fade to less than half in places, so ink begins a little lower.
        let threshold = threshold.min(0.4 * full).max(4.0 * noise);
        Some(Self {
            mask: contrast
                .data
                .iter()
                .map(|contrast| *contrast >= threshold)
                .collect(),
            contrast,
            floor: 2.0 * noise,
        })
    }

    /// How much ink covers each pixel, 0 to 1, where the mask's is full ink.
    pub(super) fn coverage(&self) -> Vec<f32> {
        let full = self.full().max(self.floor + 1.0);
        let part = |contrast: &f32| (contrast - self.floor) / (full - self.floor);
        let parts = self.contrast.data.iter().map(part);
        parts.map(|part| part.clamp(0.0, 1.0)).collect()
    }

    /// The contrast of full ink.
    pub(super) fn full(&self) -> f32 {
        let inked = self.contrast.data.iter().zip(&self.mask);
        let inked: Vec<f32> = inked.filter(|(_, inked)| **inked).map(|it| *it.0).collect();
        quantile(&inked, 0.5).unwrap_or(255.0)
    }

    /// The part within `region`, with a margin of `margin` pixels on each side. The margin has no
    /// ink where it lies outside the picture.
    pub(super) fn around(&self, [left, top, right, bottom]: Region, margin: usize) -> Self {
        let Levels {
            width: stride,
            height: rows,
            ref data,
        } = self.contrast;
        let [width, height] = [right - left, bottom - top].map(|side| side + 2 * margin);
        let mut contrast = vec![0.0; width * height];
        let mut mask = vec![false; width * height];
        let columns = left.saturating_sub(margin)..(right + margin).min(stride);
        for row in top.saturating_sub(margin)..(bottom + margin).min(rows) {
            let to = (row + margin - top) * width + columns.start + margin - left;
            let from = row * stride + columns.start..row * stride + columns.end;
            contrast[to..to + columns.len()].copy_from_slice(&data[from.clone()]);
            mask[to..to + columns.len()].copy_from_slice(&self.mask[from]);
        }
        Self {
            contrast: Levels {
                width,
                height,
                data: contrast,
            },
            mask,
            floor: self.floor,
        }
    }

    /// The smallest region that holds all ink, in pixel edges. `None` if there is no ink.
    pub(super) fn bounds(&self) -> Option<Region> {
        let width = self.contrast.width;
        let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
        for pixel in (0..self.mask.len()).filter(|&pixel| self.mask[pixel]) {
            let (x, y) = (pixel % width, pixel / width);
            (left, right) = (left.min(x), right.max(x + 1));
            (top, bottom) = (top.min(y), bottom.max(y + 1));
        }
        (right > 0).then_some([left, top, right, bottom])
    }
}
