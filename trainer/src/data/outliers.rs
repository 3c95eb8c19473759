//! Pictures that are no digits, to learn to be unsure of (outlier exposure, Hendrycks, Mazeika &
//! Dietterich 2019, "Deep anomaly detection with outlier exposure").
//!
//! All are made here. Letters and symbols are drawn with a pen along lines of our own, and so are
//! some digits, which keep their labels: without them a network would learn how the pen differs
//! from MNIST's, and not how letters differ from digits.

mod glyphs;
mod pen;
mod shapes;

use quintet_bundle::divergence_from_uniform;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use self::pen::draw;
use super::Samples;
use crate::random::SplitMix64;

/// Side of a frame in pixels.
const SIDE: usize = 28;
/// A frame of MNIST's form.
type Frame = [f32; SIDE * SIDE];

// The most frames of each kind, of which the batches draw; no more than there are digits.
const FRAMES: usize = 40_000;
// Beside the streams of the split, the epochs and the parts.
const STREAM: u64 = 3 << 32;

/// What the trainer adds to each batch of digits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outliers {
    /// How many outliers, as a part of the batch; their target is that every label is as likely.
    pub part: f64,
    /// How many drawn digits, as a part of the batch.
    pub drawn_digits: f64,
    /// The part of the validation digits that a served model is to call unreadable, because their
    /// probabilities are nearer to a uniform distribution than those of all others; the manifest's
    /// `least_divergence` follows from it.
    pub unreadable: f64,
}

/// Frames of which each batch gets some.
#[derive(Debug)]
pub struct Pool {
    /// Of the outliers and of the drawn digits, uint8 `[n, 28, 28]`.
    pixels: [Tensor; 2],
    /// The labels of the drawn digits, int64 `[n]`.
    labels: Tensor,
}

impl Outliers {
    /// The [`divergence_from_uniform`] that the part `unreadable` of the rows of `probabilities`,
    /// float32 `[n, C]` of digits, does not reach.
    pub fn least_divergence(&self, probabilities: &Tensor) -> f32 {
        let mut divergences = divergences(probabilities);
        divergences.sort_by(f32::total_cmp);
        let place = (divergences.len() as f64 * self.unreadable) as usize;
        divergences[place]
    }
}

/// The part of the rows of `probabilities`, float32 `[n, C]`, whose [`divergence_from_uniform`]
/// does not reach `least_divergence`.
pub fn unreadable(probabilities: &Tensor, least_divergence: f32) -> f64 {
    let divergences = divergences(probabilities);
    let below = divergences.iter().filter(|it| **it < least_divergence);
    below.count() as f64 / divergences.len() as f64
}

/// That of each row.
fn divergences(probabilities: &Tensor) -> Vec<f32> {
    let labels = probabilities.size()[1] as usize;
    let all = probabilities.to_device(Device::Cpu).contiguous().view(-1);
    let all = Vec::<f32>::try_from(all).expect("probabilities are float32");
    all.chunks(labels).map(divergence_from_uniform).collect()
}

impl Pool {
    /// Draws the frames. Some outliers are made of `digits`.
    pub fn new(digits: &Samples, seed: u64, device: Device) -> Self {
        let mut random = SplitMix64::for_stream(seed, STREAM);
        let frames = FRAMES.min(digits.len());
        let labels = digits.label_values();
        let pixels = digits.inputs[0].to_device(Device::Cpu).flatten(0, -1);
        let pixels = Vec::<u8>::try_from(pixels).expect("pixels are uint8");
        let digits = shapes::Digits::new(&pixels, &labels);
        let outliers = (0..frames).flat_map(|_| bytes(&outlier(&digits, &mut random)));
        let outliers: Vec<u8> = outliers.collect();
        let drawn = (0..frames).map(|index| {
            let forms = glyphs::DIGITS[index % glyphs::DIGITS.len()];
            bytes(&draw(pick(forms, &mut random), &mut random))
        });
        let drawn: Vec<u8> = drawn.flatten().collect();
        let labels = (0..frames).map(|index| (index % glyphs::DIGITS.len()) as i64);
        let labels: Vec<i64> = labels.collect();
        let tensor = |bytes: &[u8]| {
            let side = SIDE as i64;
            let frames = Tensor::from_slice(bytes).reshape([-1, side, side]);
            frames.to_device(device)
        };
        Self {
            pixels: [tensor(&outliers), tensor(&drawn)],
            labels: Tensor::from_slice(&labels).to_device(device),
        }
    }

    /// The batch with digits and then outliers of the pool behind it, each as a part of the batch,
    /// and the labels of all but the outliers. Draws from libtorch's random generator.
    pub fn extend(
        &self,
        batch: (&Tensor, &Tensor),
        drawn_digits: f64,
        outliers: f64,
    ) -> (Tensor, Tensor) {
        let (pixels, labels) = batch;
        let rows = |part: f64| {
            let count = (labels.numel() as f64 * part).round() as i64;
            let (all, options) = (self.labels.size()[0], (Kind::Int64, labels.device()));
            Tensor::randint(all, [count], options)
        };
        let [outliers, drawn] = [outliers, drawn_digits].map(rows);
        let further = [
            self.pixels[1].index_select(0, &drawn),
            self.pixels[0].index_select(0, &outliers),
        ];
        (
            Tensor::cat(&[pixels, &further[0], &further[1]], 0),
            Tensor::cat(&[labels, &self.labels.index_select(0, &drawn)], 0),
        )
    }
}

/// Any outlier.
fn outlier(digits: &shapes::Digits<'_>, random: &mut SplitMix64) -> Frame {
    match random.below(20) {
        0..8 => draw(pick(&glyphs::LETTERS, random), random),
        8..11 => draw(pick(&glyphs::SYMBOLS, random), random),
        11..13 => shapes::scribble(random),
        13..15 => shapes::filled(random),
        15 => shapes::word(random),
        16 => shapes::texture(random),
        17 => digits.pair(random),
        _ => digits.turned(random),
    }
}

fn pick<T: Copy>(all: &[T], random: &mut SplitMix64) -> T {
    all[random.below(all.len())]
}

/// A number between two.
fn between(random: &mut SplitMix64, least: f64, most: f64) -> f32 {
    (least + (most - least) * random.unit()) as f32
}

fn bytes(frame: &Frame) -> [u8; SIDE * SIDE] {
    frame.map(|level| (level.clamp(0.0, 1.0) * 255.0).round() as u8)
}

#[cfg(test)]
mod tests;
