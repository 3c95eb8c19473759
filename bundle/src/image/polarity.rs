//! Whether the ink is darker or lighter than the paper.

use super::falloff;
use super::findings::Polarity;
use super::levels::{Levels, quantile};

/// Longer side of the picture that is judged, in pixels.
const SIDE: usize = 32;
/// The rim that may be a border line, in shorter sides of the picture, and at least a pixel.
const RIM: f32 = 0.025;
/// Added to a level, so that the darkest levels do not count for too much.
const FLARE: f32 = 16.0;
/// What has its paper's level is at most this far from it, by its logarithm: in even light, and in
/// light that falls off.
const NEAR: (f32, f32) = (0.03, 0.08);
/// The least part of a picture that has its paper's level, if the paper is known.
const MOST: f32 = 0.6;

/// The side of the paper on which the picture strays farther is the ink's. The fourth power lets a
/// little strong ink win over wide faint shade.
///
/// The paper has the level of the border's median or, where most of the picture has not and its
/// light falls off smoothly, that of this light: the middle of a vignette is no light ink.
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
    let border = quantile(&border, 0.5).unwrap_or(0.0);
    let falloff = if is_paper(&light, |_| border, NEAR.0) {
        None
    } else {
        falloff::of(width, &light).filter(|paper| is_paper(&light, |index| paper[index], NEAR.1))
    };
    let paper = falloff.unwrap_or_else(|| vec![border; light.len()]);
    let (mut darker, mut lighter) = (0.0, 0.0);
    for (light, paper) in light.into_iter().zip(paper) {
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

/// Whether most of a picture has the level of its paper.
fn is_paper(light: &[f32], paper: impl Fn(usize) -> f32, apart: f32) -> bool {
    let near = (0..light.len()).filter(|&index| (light[index] - paper(index)).abs() <= apart);
    near.count() as f32 >= MOST * light.len() as f32
}

/// The picture without its outermost pixels.
fn without_rim(levels: &Levels) -> Levels {
    let (width, height) = (levels.width, levels.height);
    let rim = ((width.min(height) as f32 * RIM) as usize).max(1);
    let [left, top] = [width, height].map(|side| if side > 4 * rim { rim } else { 0 });
    levels.cut([left, top, width - left, height - top])
}
