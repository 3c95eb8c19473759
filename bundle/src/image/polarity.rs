//! Whether the ink is darker or lighter than the paper.

use super::findings::Polarity;
use super::levels::{Levels, quantile};

/// Longer side of the picture that is judged, in pixels.
const SIDE: usize = 32;
/// The rim that may be a border line, in shorter sides of the picture, and at least a pixel.
const RIM: f32 = 0.025;
/// Added to a level, so that the darkest levels do not count for too much.
const FLARE: f32 = 16.0;

/// The side of the border's median on which the picture strays farther is the ink's. The fourth
/// power lets a little strong ink win over wide faint shade.
///
/// Logarithms are compared, because half of the light changes all of them by as much, and ink more
/// than that.
pub(super) fn of(levels: &Levels) -> Polarity {
    let (small, _) = without_rim(levels).shrunk(SIDE);
    let (width, height) = (small.width, small.height);
    let light: Vec<f32> = small
        .data
        .iter()
        .map(|level| (level + FLARE).ln())
        .collect();
    let is_border = |index: usize| {
        let (x, y) = (index % width, index / width);
        x == 0 || y == 0 || x + 1 == width || y + 1 == height
    };
    let border = (0..light.len()).filter(|&index| is_border(index));
    let border: Vec<f32> = border.map(|index| light[index]).collect();
    let paper = quantile(&border, 0.5).unwrap_or(0.0);
    let (mut darker, mut lighter) = (0.0, 0.0);
    for light in light {
        let side = if light < paper {
            &mut darker
        } else {
            &mut lighter
        };
        *side += (light - paper).powi(4);
    }
    if darker >= lighter {
        Polarity::DarkOnLight
    } else {
        Polarity::LightOnDark
    }
}

/// The picture without its outermost pixels.
fn without_rim(levels: &Levels) -> Levels {
    let (width, height) = (levels.width, levels.height);
    let rim = ((width.min(height) as f32 * RIM) as usize).max(1);
    let [left, top] = [width, height].map(|side| if side > 4 * rim { rim } else { 0 });
    levels.cut([left, top, width - left, height - top])
}
