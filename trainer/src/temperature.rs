//! The temperature by which a classifier's logits are divided, so that its probabilities are as
//! often right as they say (Guo et al. 2017, "On calibration of modern neural networks").
//!
//! A network that learnt to be unsure of what is no digit is less sure of digits, too.

use std::convert::Infallible;

use tch::{Kind, Tensor};

use crate::network::Network;
use crate::recipe::Recipe;
use crate::task::exam::{Exam, Part};

/// The least and the largest temperature, and how closely it is found.
const RANGE: (f64, f64) = (0.25, 4.0);
const STEPS: u32 = 40;

/// The temperature at which the validation samples have the smallest loss, half of it that of the
/// same samples deformed as in training.
pub(crate) fn fitted(exam: &dyn Exam, network: &Network, recipe: &Recipe) -> f64 {
    let mut outputs = vec![exam.output(Part::Validation, network)];
    if let Some(augmentation) = &recipe.augmentation {
        let mut seed = recipe.seed;
        let Ok(deformed) = exam.in_batches(Part::Validation, |inputs| {
            seed += 1;
            let pixels = augmentation.clone().deformed(&inputs[0], seed);
            Ok::<_, Infallible>(network.output(&[pixels]))
        });
        outputs.push(deformed);
    }
    // Logits but for a constant of each row, which changes no probability.
    let logits: Vec<Tensor> = outputs.iter().map(|it| it.clamp_min(1e-30).log()).collect();
    least(|temperature| {
        let loss = |logits: &Tensor| {
            let output = (logits / temperature).softmax(-1, Kind::Float);
            exam.judge(Part::Validation, &output).objective
        };
        logits.iter().map(loss).sum()
    })
}

/// Where a function of one valley is least within [`RANGE`], by golden sections of the logarithm.
fn least(value: impl Fn(f64) -> f64) -> f64 {
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (RANGE.0.ln(), RANGE.1.ln());
    for _ in 0..STEPS {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if value(left.exp()) < value(right.exp()) {
            high = right;
        } else {
            low = left;
        }
    }
    f64::midpoint(low, high).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_point_is_found() {
        for lowest in [0.3, 1.0, 2.5] {
            let found = least(|it| (it.ln() - f64::ln(lowest)).powi(2));
            assert!((found - lowest).abs() < 1e-6, "{found}, not {lowest}");
        }
        assert!((least(|it| it) - RANGE.0).abs() < 1e-6);
    }
}
