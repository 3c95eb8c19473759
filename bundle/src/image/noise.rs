//! The grain of paper and camera, averaged away as far as ink bears it.

use super::levels::{Levels, quantile, transposed};

/// Grain up to this standard deviation, in grey levels, stays.
const QUIET: f32 = 4.0;

/// Averages each pixel with its neighbours, the more of them the stronger the grain is.
pub(super) fn smooth(levels: &mut Levels) {
    let grain = grain(levels);
    // The mean of n pixels has the grain's deviation divided by the root of n.
    let radius = ((grain / QUIET - 1.0) / 2.0).ceil().max(0.0) as usize;
    let radius = radius.min(levels.width.min(levels.height) / 40);
    if radius > 0 {
        let across = averaged(levels.width, &levels.data, radius);
        let turned = transposed(levels.width, &across);
        let down = averaged(levels.height, &turned, radius);
        levels.data = transposed(levels.height, &down);
    }
}

/// The standard deviation of the grain, from second differences, which ink and light hardly
/// change.
fn grain(levels: &Levels) -> f32 {
    let rows = levels.data.chunks_exact(levels.width).step_by(2);
    let bends = rows.flat_map(|row| row.windows(3).step_by(3));
    let bend = |three: &[f32]| (three[0] - 2.0 * three[1] + three[2]).abs();
    let bends: Vec<f32> = bends.map(bend).collect();
    // The median of |x| is 0.6745 standard deviations; a second difference has sqrt(6) of them.
    quantile(&bends, 0.5).unwrap_or(0.0) / (0.6745 * 6.0_f32.sqrt())
}

/// The mean of the pixels up to `radius` to the left and right of each, in its row.
fn averaged(width: usize, data: &[f32], radius: usize) -> Vec<f32> {
    let mut means = Vec::with_capacity(data.len());
    for row in data.chunks_exact(width) {
        let mut sum: f32 = row[..radius.min(width)].iter().sum();
        let mut count = radius.min(width);
        for x in 0..width {
            if let Some(level) = row.get(x + radius) {
                sum += level;
                count += 1;
            }
            if x > radius {
                sum -= row[x - radius - 1];
                count -= 1;
            }
            means.push(sum / count as f32);
        }
    }
    means
}
