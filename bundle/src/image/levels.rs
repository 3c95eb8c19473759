//! Grey levels as the steps of framing pass them on.

use super::GrayImage;

/// Left, top, right and bottom end of a part of a picture, in pixels.
pub(super) type Region = [usize; 4];

/// Grey levels from 0 to 255, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Levels {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) data: Vec<f32>,
}

impl Levels {
    /// A part of a picture, averaged in whole blocks so that the longer side is at most `side`;
    /// gives the side of a block as well.
    pub(super) fn of(image: &GrayImage, region: Region, side: usize) -> (Self, usize) {
        blocks(image.as_raw(), image.width() as usize, region, side)
    }

    /// The same picture, smaller; gives the side of a block as well.
    pub(super) fn shrunk(&self, side: usize) -> (Self, usize) {
        if self.width.max(self.height) <= side {
            return (self.clone(), 1);
        }
        blocks(
            &self.data,
            self.width,
            [0, 0, self.width, self.height],
            side,
        )
    }

    /// Dark becomes light.
    pub(super) fn invert(&mut self) {
        self.data
            .iter_mut()
            .for_each(|level| *level = 255.0 - *level);
    }

    /// A part of the picture.
    pub(super) fn cut(&self, [left, top, right, bottom]: Region) -> Self {
        let (width, height) = (right - left, bottom - top);
        let mut data = Vec::with_capacity(width * height);
        for row in self.data.chunks_exact(self.width).take(bottom).skip(top) {
            data.extend_from_slice(&row[left..right]);
        }
        Self {
            width,
            height,
            data,
        }
    }
}

/// Columns become rows.
pub(super) fn transposed<T: Copy>(width: usize, data: &[T]) -> Vec<T> {
    let mut columns = Vec::with_capacity(data.len());
    for x in 0..width {
        columns.extend(data.iter().skip(x).step_by(width));
    }
    columns
}

/// Averages whole blocks of pixels.
fn blocks<T: Copy + Into<f32>>(
    data: &[T],
    stride: usize,
    [left, top, right, bottom]: Region,
    side: usize,
) -> (Levels, usize) {
    let (source_width, source_height) = (right - left, bottom - top);
    let factor = source_width.max(source_height).div_ceil(side).max(1);
    let width = source_width.div_ceil(factor);
    let mut levels = Vec::with_capacity(width * source_height.div_ceil(factor));
    let mut sums = vec![0.0_f32; width];
    for first in (top..bottom).step_by(factor) {
        let rows = first..(first + factor).min(bottom);
        sums.fill(0.0);
        for row in rows.clone() {
            let row = &data[row * stride..][left..right];
            for (sum, block) in sums.iter_mut().zip(row.chunks(factor)) {
                *sum += block.iter().map(|&level| level.into()).sum::<f32>();
            }
        }
        for (x, &sum) in sums.iter().enumerate() {
            let block_width = factor.min(source_width - x * factor);
            levels.push(sum / (block_width * rows.len()) as f32);
        }
    }
    let height = source_height.div_ceil(factor);
    (
        Levels {
            width,
            height,
            data: levels,
        },
        factor,
    )
}

/// Otsu's threshold (IEEE Trans. SMC 9(1), 1979): it splits the levels into two classes that are
/// as far apart as can be. Where several levels do so equally well, their middle.
pub(super) fn otsu(levels: &[f32]) -> f32 {
    let mut histogram = [0_u64; 256];
    for &level in levels {
        histogram[level.clamp(0.0, 255.0) as usize] += 1;
    }
    let total = levels.len() as u64;
    let weighted = (0..).zip(&histogram).map(|(level, count)| level * count);
    let sum: u64 = weighted.sum();
    let (mut below, mut below_sum) = (0, 0);
    let (mut best, mut first, mut last) = (0.0, 0_u8, 0_u8);
    for (level, &count) in (0_u8..=255).zip(&histogram) {
        below += count;
        below_sum += u64::from(level) * count;
        if below == 0 || below == total {
            continue;
        }
        let above = total - below;
        let apart = below_sum as f64 / below as f64 - (sum - below_sum) as f64 / above as f64;
        let between = below as f64 * above as f64 * apart * apart;
        if between > best {
            (best, first, last) = (between, level, level);
        } else if count == 0 && level == last + 1 {
            // An empty bin splits the levels just as the one before it.
            last = level;
        }
    }
    // A level belongs to the lower class up to the end of its bin.
    f32::midpoint(f32::from(first), f32::from(last)) + 1.0
}

/// The level that this share of the levels lies below, of up to some thousand of them; `None` of
/// nothing.
pub(super) fn quantile(levels: &[f32], share: f32) -> Option<f32> {
    const SAMPLES: usize = 4096;
    // An odd step does not stay in one column of most pictures.
    let step = (levels.len() / SAMPLES) | 1;
    let mut levels: Vec<f32> = levels.iter().step_by(step).copied().collect();
    let place = (levels.len() as f32 * share) as usize;
    (place < levels.len()).then(|| *levels.select_nth_unstable_by(place, f32::total_cmp).1)
}
