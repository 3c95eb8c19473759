//! Judges generators by what a classifier makes of their digits.

use quintet_data::mnist::SIDE;
use serde_json::json;
use tch::{Kind, Tensor};

use super::quality::{Judge, Quality, SEED, SURE, noise_of};
use crate::error::Error;
use crate::layers::SignedPixels;
use crate::network::Network;
use crate::plots::curves::Panel;
use crate::run_folder::RunFolder;
use crate::task::Setting;
use crate::task::exam::{Drawing, Exam, Part, TOLERANCE, Verdict};
use crate::verify::{LoadedModel, within};

// The least and the largest part of the digits that one of them should have.
const SHARES: (f64, f64) = (0.08, 0.12);
// The part of the digits that the classifier should be sure of.
const SURE_OF: f64 = 0.9;
// More than any distance.
const MISSED: f64 = 1e6;
// ONNX Runtime draws them with one thread a core; many more prove no more.
const VERIFIED: usize = 1_000;

/// Judges generators.
#[derive(Debug)]
pub(super) struct GenerationExam<'a> {
    pub(super) judge: Judge,
    pub(super) setting: Setting<'a>,
}

impl Exam for GenerationExam<'_> {
    fn rows(&self, _: Part) -> usize {
        self.setting.judged
    }

    fn inputs(&self, _: Part, start: usize, count: usize) -> Vec<Tensor> {
        vec![noise_of(SEED, start, count)]
    }

    fn judge(&self, _: Part, output: &Tensor) -> Verdict {
        let quality = self.judge.judge(output);
        let (least, most) = quality.shares();
        let Quality {
            frechet_distance: distance,
            sure,
            digits,
        } = &quality;
        let percent = 100.0 * sure;
        let shares = format!("{:.1} to {:.1} %", 100.0 * least, 100.0 * most);
        let counts = digits.iter().enumerate();
        let counts: Vec<String> = counts.map(|(digit, it)| format!("{digit}: {it}")).collect();
        let metrics = [
            ("frechet_distance", *distance),
            ("sure", *sure),
            ("least_digit_share", least),
            ("largest_digit_share", most),
        ];
        Verdict {
            objective: objective(*distance, *sure, (least, most)),
            record: [("quality".to_owned(), json!(quality))]
                .into_iter()
                .collect(),
            metrics: metrics.map(|(name, value)| (name.to_owned(), value)).into(),
            line: format!("Fréchet distance {distance:.2}  sure {percent:.1} %  a digit {shares}"),
            report: format!(
                "Fréchet distance {distance:.2}\nthe CNN is at least {SURE} sure of {percent:.2} %\n\
                 {}\na digit has {shares}\n",
                counts.join("  "),
            ),
        }
    }

    fn subject(&self) -> String {
        format!("{} digits of seed {SEED}", self.setting.judged)
    }

    fn compare_precision(&self, trained: &Verdict, _: &Verdict) -> (String, Vec<(String, f64)>) {
        // As many handwritten digits, judged in the same way: what a perfect generator would reach.
        let written = &self.setting.train.slice(0, self.setting.judged).inputs[0];
        let written = self.judge.judge(written).frechet_distance;
        let (name, trained) = &trained.metrics[0];
        let line = format!(
            "Fréchet distance with float32 weights {trained:.2}, of as many handwritten digits \
             {written:.2}",
        );
        let metrics = [("float32", *trained), ("handwritten", written)];
        (
            line,
            metrics
                .map(|(of, value)| (format!("{name}_{of}"), value))
                .into(),
        )
    }

    // The same first images of every epoch.
    fn keep(&self, run: &RunFolder, epoch: u32, output: &Tensor) -> Result<(), Error> {
        let pixels = Vec::<u8>::try_from(output.flatten(0, -1)).expect("pixels are uint8");
        let frames: Vec<&[u8]> = pixels.chunks(SIDE * SIDE).collect();
        run.write_samples(epoch, &frames)
    }

    fn verify(
        &self,
        network: &Network,
        _: &Tensor,
        model: &mut LoadedModel,
    ) -> Result<(f32, &'static str), Error> {
        Ok((parity(network, model)?, "at least"))
    }

    fn draw(&self, drawing: &Drawing<'_>) -> Result<(), Error> {
        let losses = drawing.losses([
            ("generator", "generator_loss"),
            ("discriminator", "discriminator_loss"),
        ]);
        let quality = Panel {
            title: "Fréchet distance, and digits the CNN is not sure of",
            unit: "",
            lines: [
                ("not sure, %", drawing.missing_percent("quality.sure")),
                ("distance", drawing.column("quality.frechet_distance")),
            ],
        };
        drawing.curves(&[losses, quality])
    }
}

// What chooses the epoch: how many of the two goals it misses, then the distance.
fn objective(distance: f64, sure: f64, (least, most): (f64, f64)) -> f64 {
    let is_even = least >= SHARES.0 && most <= SHARES.1;
    let missed = [is_even, sure >= SURE_OF].map(|it| f64::from(u8::from(!it)));
    MISSED * missed.iter().sum::<f64>() + distance
}

/// By how much at least ONNX Runtime's images in −1..=1 differ from libtorch's.
///
/// The graph gives grey levels, each of which stands for all values that round to it. So the
/// distance of libtorch's value to that range is measured. A difference of all pixels shows at
/// those that are nearly between two levels, and among a million pixels there are many.
///
/// # Errors
/// A difference of more than [`TOLERANCE`], or a graph that does not give an image a row.
pub fn parity(network: &Network, model: &mut LoadedModel) -> Result<f32, Error> {
    let mut difference = 0.0_f32;
    let batch = 100;
    for first in (0..VERIFIED).step_by(batch) {
        let noise = [noise_of(SEED, first, batch)];
        let served = model.output(&noise)?.to_kind(Kind::Float);
        let images = tch::no_grad(|| network.model().forward_t(&noise, false));
        let outside = (SignedPixels.levels(&images) - served).abs() - 0.5;
        let outside = outside.max().double_value(&[]).max(0.0) / SignedPixels::HALF_RANGE;
        difference = difference.max(outside as f32);
    }
    within(difference, TOLERANCE, "a pixel in -1..=1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_that_reaches_the_goals_is_better_than_one_of_a_smaller_distance() {
        let of = |distance, sure, least, most| objective(distance, sure, (least, most));
        let reached = of(6.0, 0.9, 0.08, 0.12);
        assert!(of(5.0, 0.95, 0.09, 0.11) < reached);
        let missed = [
            of(5.0, 0.899, 0.08, 0.12),
            of(5.0, 0.9, 0.079, 0.12),
            of(5.0, 0.9, 0.08, 0.121),
        ];
        for one in missed {
            assert!(reached < one && one < of(5.0, 0.899, 0.08, 0.121));
        }
    }
}
