//! Pixels to a frame's pixels.

use ::image::imageops::{self, FilterType};

use super::frame::{BOX, CENTRE};
use super::strokes::Digit;
use super::{Frame, GrayImage, SIDE};

/// Resizes a whole picture to 28×28; averages where it shrinks. An empty picture gives black.
pub(super) fn resize(image: &GrayImage) -> Frame {
    let mut frame = [0; SIDE * SIDE];
    if image.width() > 0 && image.height() > 0 {
        let side = SIDE as u32;
        frame.copy_from_slice(&imageops::resize(image, side, side, FilterType::Triangle));
    }
    frame
}

/// Fits a digit into 20×20, puts its centre of mass on pixel (14, 14), and stretches its peak to
/// 255.
pub(super) fn place(digit: &Digit) -> Frame {
    let height = digit.coverage.len() / digit.width;
    let scale = BOX as f32 / (digit.x[1] - digit.x[0]).max(digit.y[1] - digit.y[0]);
    let (mut columns, mut rows) = (vec![0.0_f32; digit.width], vec![0.0_f32; height]);
    for (row, sum) in digit.coverage.chunks_exact(digit.width).zip(&mut rows) {
        for (&value, column) in row.iter().zip(&mut columns) {
            *column += value;
            *sum += value;
        }
    }
    let columns = Axis::new(&columns, digit.x, scale);
    let rows = Axis::new(&rows, digit.y, scale);

    let mut sums = [0.0_f32; SIDE * SIDE];
    for (row, line) in digit.coverage.chunks_exact(digit.width).enumerate() {
        let targets = rows.targets(row);
        if targets.is_empty() {
            continue;
        }
        let mut across = [0.0_f32; SIDE];
        for (column, &value) in line.iter().enumerate().filter(|&(_, &value)| value > 0.0) {
            for x in columns.targets(column) {
                across[x] += value * columns.overlap(column, x);
            }
        }
        for y in targets {
            let weight = rows.overlap(row, y);
            for (sum, value) in sums[y * SIDE..][..SIDE].iter_mut().zip(across) {
                *sum += weight * value;
            }
        }
    }
    let peak = sums.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    sums.map(|sum| (sum / peak * 255.0).round() as u8)
}

/// How pixels of the digit fall onto pixels of the frame, along one axis.
///
/// Every frame pixel averages over a window of source pixels, each counted by how much of it lies
/// inside. A window is never narrower than one source pixel, which makes enlarging linear.
struct Axis {
    /// Source coordinate of the frame's edge.
    origin: f32,
    /// Source pixels per frame pixel.
    step: f32,
    /// Width of a window in source pixels.
    window: f32,
}

impl Axis {
    /// `mass` is the ink along the axis, `ends` where the digit begins and ends.
    fn new(mass: &[f32], ends: [f32; 2], scale: f32) -> Self {
        let total: f32 = mass.iter().sum();
        let moment = |(index, &mass): (usize, &f32)| (index as f32 + 0.5) * mass;
        let centre =
            mass.iter().enumerate().map(moment).sum::<f32>() / total.max(f32::MIN_POSITIVE);
        let step = 1.0 / scale;
        let origin = centre - (CENTRE as f32 + 0.5) * step;
        // A very lopsided digit is moved back into the frame.
        let origin = origin.min(ends[0]).max(ends[1] - SIDE as f32 * step);
        Self {
            origin,
            step,
            window: step.max(1.0),
        }
    }

    /// The frame pixels whose window may touch a source pixel.
    fn targets(&self, source: usize) -> std::ops::Range<usize> {
        let at = |coordinate: f32| (coordinate - self.origin) / self.step - 0.5;
        let reach = self.window / 2.0;
        let first = at(source as f32 - reach).floor().clamp(0.0, SIDE as f32);
        let last = (at(source as f32 + 1.0 + reach).ceil() + 1.0).clamp(0.0, SIDE as f32);
        first as usize..last as usize
    }

    /// The part of a frame pixel's window that a source pixel fills, from 0 to 1.
    fn overlap(&self, source: usize, target: usize) -> f32 {
        let middle = self.origin + (target as f32 + 0.5) * self.step;
        let (start, end) = (middle - self.window / 2.0, middle + self.window / 2.0);
        let inside = end.min(source as f32 + 1.0) - start.max(source as f32);
        inside.max(0.0) / self.window
    }
}
