//! Outliers that no pen writes as a letter: scribbles, words, filled shapes, textures, and MNIST's
//! digits turned on their side or two in one frame.

use std::f32::consts::TAU;

use super::pen::{Point, draw, strokes, unsteady, written};
use super::{Frame, SIDE, between, glyphs, pick};
use crate::random::SplitMix64;

// Digits that are none any more when they lie on their side, or are seen in a mirror.
const TURNED: [i64; 7] = [2, 3, 4, 5, 6, 7, 9];
const MIRRORED: [i64; 4] = [3, 4, 7, 9];

/// A data set's frames, of which outliers are made.
pub(super) struct Digits<'a> {
    frames: Vec<&'a [u8]>,
    turned: Vec<usize>,
    mirrored: Vec<usize>,
}

/// A random line that crosses itself often.
pub(super) fn scribble(random: &mut SplitMix64) -> Frame {
    let lines = 1 + random.below(3);
    let points = 7 + random.below(8);
    let lines = (0..lines).map(|_| {
        let point = |_| [(); 2].map(|()| between(random, 0.0, 9.0));
        (0..points).map(point).collect()
    });
    let lines: Vec<Vec<Point>> = lines.collect();
    written(&lines, random)
}

/// Two or three letters or digits.
pub(super) fn word(random: &mut SplitMix64) -> Frame {
    let mut lines = Vec::new();
    let wide = between(random, 8.0, 11.0);
    for place in 0..2 + random.below(2) {
        let glyph = match random.below(3) {
            0 => pick(pick(&glyphs::DIGITS, random), random),
            _ => pick(&glyphs::LETTERS, random),
        };
        let right = wide * place as f32;
        let line = unsteady(&strokes(glyph), random);
        let moved = line.into_iter().map(|line| {
            let moved = line.into_iter().map(|[x, y]| [x + right, y]);
            moved.collect()
        });
        lines.extend(moved);
    }
    written(&lines, random)
}

/// A patch with a random outline and a random inside: garments, hands, things.
pub(super) fn filled(random: &mut SplitMix64) -> Frame {
    let corners = 3 + random.below(8);
    let radii: Vec<f32> = (0..corners).map(|_| between(random, 0.45, 1.0)).collect();
    let stretch = between(random, 0.4, 1.0);
    let turn = between(random, 0.0, f64::from(TAU));
    let (sine, cosine) = turn.sin_cos();
    let reach = between(random, 11.0, 17.0);
    let inside = texture(random);
    let (least, softness) = (between(random, 0.0, 0.9), between(random, 0.05, 0.2));
    let mut frame = [0.0; SIDE * SIDE];
    for (index, level) in frame.iter_mut().enumerate() {
        let [x, y] = [index % SIDE, index / SIDE].map(|it| (it as f32 - 13.5) / reach);
        let (x, y) = (x * cosine - y * sine, (x * sine + y * cosine) / stretch);
        let around = (y.atan2(x) / TAU).rem_euclid(1.0) * corners as f32;
        let (corner, along) = (around as usize % corners, around.fract());
        let radius = radii[corner] + (radii[(corner + 1) % corners] - radii[corner]) * along;
        let covered = ((radius - x.hypot(y)) / softness + 0.5).clamp(0.0, 1.0);
        *level = covered * (least + (1.0 - least) * inside[index]);
    }
    stretched(&frame)
}

/// Noise of any grain, stripes, checks, or dots.
pub(super) fn texture(random: &mut SplitMix64) -> Frame {
    let mut frame = [0.0; SIDE * SIDE];
    match random.below(3) {
        0 => {
            frame.fill_with(|| random.unit() as f32);
            for _ in 0..random.below(5) {
                frame = blurred(&frame);
            }
        }
        kind => {
            let turn = between(random, 0.0, f64::from(TAU));
            let (sine, cosine) = turn.sin_cos();
            let step = between(random, 3.0, 12.0);
            let sharp = between(random, 0.6, 4.0);
            for (index, level) in frame.iter_mut().enumerate() {
                let [x, y] = [index % SIDE, index / SIDE].map(|it| it as f32 * TAU / step);
                let (x, y) = (x * cosine - y * sine, x * sine + y * cosine);
                let wave = if kind == 1 {
                    x.sin()
                } else {
                    x.sin() * y.sin()
                };
                *level = (0.5 + wave * sharp).clamp(0.0, 1.0);
            }
        }
    }
    stretched(&frame)
}

impl<'a> Digits<'a> {
    pub(super) fn new(pixels: &'a [u8], labels: &[i64]) -> Self {
        let of = |allowed: &[i64]| {
            let all = labels.iter().enumerate();
            let all = all.filter(|(_, label)| allowed.contains(label));
            all.map(|(index, _)| index).collect()
        };
        Self {
            frames: pixels.chunks_exact(SIDE * SIDE).collect(),
            turned: of(&TURNED),
            mirrored: of(&MIRRORED),
        }
    }

    /// A digit on its side, or in a mirror.
    pub(super) fn turned(&self, random: &mut SplitMix64) -> Frame {
        let is_mirrored = random.below(3) == 0;
        let indices = if is_mirrored {
            &self.mirrored
        } else {
            &self.turned
        };
        if indices.is_empty() {
            return draw(pick(&glyphs::SYMBOLS, random), random);
        }
        let digit = self.frames[pick(indices, random)];
        let is_right = random.below(2) == 0;
        let last = SIDE - 1;
        std::array::from_fn(|index| {
            let (x, y) = (index % SIDE, index / SIDE);
            let from = match (is_mirrored, is_right) {
                (true, _) => y * SIDE + last - x,
                (false, true) => (last - x) * SIDE + y,
                (false, false) => x * SIDE + last - y,
            };
            f32::from(digit[from]) / 255.0
        })
    }

    /// Two digits beside each other.
    pub(super) fn pair(&self, random: &mut SplitMix64) -> Frame {
        let pair = [(); 2].map(|()| self.frames[random.below(self.frames.len())]);
        // How many pixels of a digit become one, and how far the digits are from the middle.
        let (scale, apart) = (between(random, 1.2, 1.9), between(random, 0.7, 1.1));
        let apart = apart * 8.0 / scale;
        let mut frame = [0.0; SIDE * SIDE];
        for (index, level) in frame.iter_mut().enumerate() {
            let [x, y] = [index % SIDE, index / SIDE].map(|it| it as f32 - 13.5);
            let left = sample(pair[0], (x + apart) * scale, y * scale);
            *level = left.max(sample(pair[1], (x - apart) * scale, y * scale));
        }
        stretched(&frame)
    }
}

/// The level between the pixels of a digit, from its middle; black outside.
fn sample(digit: &[u8], x: f32, y: f32) -> f32 {
    let (x, y) = (x + 13.5, y + 13.5);
    let (left, top) = (x.floor(), y.floor());
    let mut sum = 0.0;
    for (column, row) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
        let (column, row) = (left + column, top + row);
        let range = 0.0..SIDE as f32;
        if range.contains(&column) && range.contains(&row) {
            let weight = (1.0 - (x - column).abs()) * (1.0 - (y - row).abs());
            sum += weight * f32::from(digit[row as usize * SIDE + column as usize]);
        }
    }
    sum / 255.0
}

fn blurred(frame: &Frame) -> Frame {
    std::array::from_fn(|index| {
        let (x, y) = (index % SIDE, index / SIDE);
        let mut sum = 0.0;
        for (row, column) in [(0, 0), (0, 2), (2, 0), (2, 2), (1, 1)] {
            let [x, y] = [x + column, y + row].map(|it| (it + SIDE - 1) % SIDE);
            sum += frame[y * SIDE + x];
        }
        sum / 5.0
    })
}

/// The same picture with its darkest level at 0 and its lightest at 1.
fn stretched(frame: &Frame) -> Frame {
    let ends = (f32::INFINITY, f32::NEG_INFINITY);
    let ends = frame
        .iter()
        .fold(ends, |(least, most), &it| (least.min(it), most.max(it)));
    let range = (ends.1 - ends.0).max(f32::MIN_POSITIVE);
    frame.map(|level| (level - ends.0) / range)
}
