//! The stages of a run: the networks learn, and then, if the recipe says so, they are tuned.

use super::typical::typical;
use crate::data::Samples;
use crate::recipe::{Adversarial, Recipe};
use crate::schedule::{Moment, Phase};

// The part of a stage's steps after which the generator learns only from the best of its digits.
const TOP_AFTER: f64 = 0.25;

/// Epochs that are trained in the same way.
#[derive(Debug)]
pub(super) struct Stage {
    /// The handwritten digits to learn from.
    pub(super) train: Samples,
    /// The epochs, and their learning rate.
    pub(super) phase: Phase,
    /// Whether the generator normalises by its running statistics, not by those of the batch.
    pub(super) is_tuning: bool,
}

/// The stages of a run, in their order; the last one has the last epoch.
pub(super) fn stages(recipe: &Recipe, adversarial: &Adversarial, train: &Samples) -> Vec<Stage> {
    let tuning = adversarial.tuning.as_ref();
    let tuned = tuning.map_or(0.0, |it| f64::from(recipe.epochs) * it.part);
    let tuned = (tuned.round() as u32).min(recipe.epochs);
    let learned = recipe.epochs - tuned;
    let stage = |epochs, part, highest_rate, before: Option<&Phase>| {
        let train = typical(train, part);
        let phase = Phase {
            first_epoch: before.map_or(1, |it| it.epochs + 1),
            epochs,
            first_step: before.map_or(0, |it| it.epochs as usize * it.steps),
            steps: train.len().div_ceil(recipe.batch_size),
            highest_rate,
        };
        let is_tuning = before.is_some();
        Stage {
            train,
            phase,
            is_tuning,
        }
    };
    let rate = recipe.optimizer.learning_rate;
    let learning = stage(learned, adversarial.typical_part, rate, None);
    let before = Some(&learning.phase);
    let tuning = tuning.map(|it| stage(tuned, it.typical_part, it.learning_rate, before));
    [learning].into_iter().chain(tuning).collect()
}

impl Stage {
    /// The part of its digits that the generator learns from.
    pub(super) fn top_part(&self, adversarial: &Adversarial, moment: &Moment) -> f64 {
        // A tuned generator already learned from the best of its digits.
        let progress = if self.is_tuning {
            1.0
        } else {
            (moment.phase_step as f64 / (moment.phase_steps as f64 * TOP_AFTER)).min(1.0)
        };
        1.0 - (1.0 - adversarial.top_part) * progress
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::models::GAN;
    use crate::recipe::{Schedule, Tuning};

    fn recipe() -> Recipe {
        let recipe = GAN.original().unwrap();
        let mut recipe = Recipe {
            epochs: 5,
            batch_size: 4,
            schedule: Some(Schedule {
                warmup_fraction: 0.0,
                final_fraction: 0.0,
            }),
            ..recipe
        };
        recipe.optimizer.learning_rate = 0.01;
        recipe
    }

    // Few of each digit, so that all are typical.
    fn samples() -> Samples {
        Samples {
            inputs: vec![Tensor::zeros([20, 28, 28], (Kind::Uint8, Device::Cpu))],
            labels: Tensor::zeros([20], (Kind::Int64, Device::Cpu)),
            texts: None,
        }
    }

    #[test]
    fn a_run_without_tuning_is_one_stage() {
        let stages = stages(&recipe(), &Adversarial::default(), &samples());
        assert_eq!(stages.len(), 1);
        assert!((1..=5).all(|epoch| stages[0].phase.contains(epoch)));
        assert!(!stages[0].phase.contains(6));
    }

    #[test]
    fn tuning_follows_learning_with_a_learning_rate_of_its_own() {
        let adversarial = Adversarial {
            top_part: 0.5,
            tuning: Some(Tuning {
                part: 0.4,
                learning_rate: 0.001,
                typical_part: 1.0,
                feature_matching: None,
            }),
            ..Adversarial::default()
        };
        let recipe = recipe();
        let stages = stages(&recipe, &adversarial, &samples());
        let of = |epoch| stages.iter().position(|it| it.phase.contains(epoch));
        assert_eq!(
            (1..=6).map(of).collect::<Vec<_>>(),
            [Some(0), Some(0), Some(0), Some(1), Some(1), None]
        );
        let at = |stage: usize, epoch, index| {
            let stage = &stages[stage];
            let moment = stage.phase.moment(recipe.schedule.as_ref(), epoch, index);
            (
                moment.step,
                stage.top_part(&adversarial, &moment),
                moment.learning_rate,
            )
        };
        // Five steps an epoch.
        let (step, top_part, rate) = at(0, 1, 0);
        assert_eq!((step, top_part), (0, 1.0));
        assert!((rate - 0.01).abs() < 1e-12);
        let (step, top_part, rate) = at(0, 3, 4);
        assert_eq!((step, top_part), (14, 0.5));
        assert!(rate < 0.001);
        let (step, top_part, rate) = at(1, 4, 0);
        assert_eq!((step, top_part), (15, 0.5));
        assert!((rate - 0.001).abs() < 1e-12);
        let (step, _, rate) = at(1, 5, 4);
        assert_eq!(step, 24);
        assert!(rate < 0.0001);
        assert_eq!([0, 1].map(|it| stages[it].is_tuning), [false, true]);
    }
}
