//! The two passes of a resize, in Pillow's own arithmetic (`src/libImaging/Resample.c`), so that the
//! levels are Pillow's to the bit: weights in double precision, rounded to 22 bits after the point,
//! and levels rounded after each pass.

use super::{Filter, Margins, Pixels};

/// Bits after the point of a weight: 8 are for the level, and 2 for weights below 0 and above 1.
const PRECISION: u32 = 32 - 8 - 2;

/// The source levels that one level of the result averages.
#[derive(Debug)]
pub(super) struct Window {
    first: usize,
    weights: Vec<i32>,
}

/// The part of an axis of levels that a picture takes, as Pillow's `box` says it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Extent {
    /// The levels of the axis.
    levels: usize,
    start: f64,
    pub(super) length: f64,
}

impl Extent {
    /// A whole axis.
    pub(super) fn whole(levels: usize) -> Self {
        Self::of(levels, [0; 2])
    }

    /// An axis without these parts of its first and of its last level, in eighths.
    fn of(levels: usize, margins: [u8; 2]) -> Self {
        let [start, end] = margins.map(|eighths| f64::from(eighths) / 8.0);
        Self {
            levels,
            start,
            length: levels as f64 - start - end,
        }
    }
}

impl Pixels {
    /// What the picture takes of its pixels, across and down.
    pub(super) fn extents(&self) -> (Extent, Extent) {
        let Margins { across, down } = self.margins;
        let (width, height) = (self.width as usize, self.height as usize);
        (Extent::of(width, across), Extent::of(height, down))
    }
}

/// The window of each of `to` levels along an axis.
pub(super) fn windows(filter: Filter, from: Extent, to: usize) -> Vec<Window> {
    let scale = from.length / to as f64;
    // A window widens where the picture shrinks.
    let stretch = scale.max(1.0);
    let support = filter.support() * stretch;
    let window = |index: usize| {
        let centre = from.start + (index as f64 + 0.5) * scale;
        let first = (centre - support + 0.5).max(0.0) as usize;
        let end = from.levels.min((centre + support + 0.5) as usize);
        let weight = |at: usize| filter.weight((at as f64 - centre + 0.5) * (1.0 / stretch));
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        let rounded = |weight: &f64| {
            let weight = if sum == 0.0 { *weight } else { weight / sum };
            (weight * f64::from(1 << PRECISION)).round() as i32
        };
        Window {
            first,
            weights: weights.iter().map(rounded).collect(),
        }
    };
    (0..to).map(window).collect()
}

/// Resizes rows of `width` pixels of `CHANNELS` levels to as many pixels as there are windows.
pub(super) fn across<const CHANNELS: usize>(
    levels: &[u8],
    width: usize,
    windows: &[Window],
) -> Vec<u8> {
    let mut resized = Vec::with_capacity(levels.len() / width * windows.len());
    for row in levels.as_chunks::<CHANNELS>().0.chunks_exact(width) {
        for Window { first, weights } in windows {
            let mut sums = [HALF; CHANNELS];
            for (pixel, weight) in row[*first..].iter().zip(weights) {
                for (sum, level) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(*level) * weight;
                }
            }
            resized.extend(sums.map(level));
        }
    }
    resized
}

/// Resizes columns: rows of `stride` levels to as many rows as there are windows.
pub(super) fn down(levels: &[u8], stride: usize, windows: &[Window]) -> Vec<u8> {
    let mut resized = Vec::with_capacity(stride * windows.len());
    let mut sums = vec![HALF; stride];
    for Window { first, weights } in windows {
        sums.fill(HALF);
        let rows = levels.chunks_exact(stride).skip(*first);
        for (row, weight) in rows.zip(weights) {
            for (sum, level) in sums.iter_mut().zip(row) {
                *sum += i32::from(*level) * weight;
            }
        }
        resized.extend(sums.iter().copied().map(level));
    }
    resized
}

/// Half a level, so that a shift rounds.
const HALF: i32 = 1 << (PRECISION - 1);

fn level(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

impl Filter {
    /// How far a level reaches, in levels of the source.
    fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    fn weight(self, distance: f64) -> f64 {
        const A: f64 = -0.5;
        let x = distance.abs();
        match self {
            Self::Bilinear if x < 1.0 => 1.0 - x,
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            _ => 0.0,
        }
    }
}
