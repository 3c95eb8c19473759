//! The phases of a run: first the networks learn, then, if the recipe says so, they are tuned.

use super::typical::typical;
use crate::data::Samples;
use crate::data::batches::Batches;
use crate::recipe::{Adversarial, Recipe};

// The part of a phase's steps after which the generator learns from the best of its digits only.
const TOP_AFTER: f64 = 0.25;

/// Epochs that are trained in the same way.
#[derive(Debug)]
pub(super) struct Phase {
    /// The handwritten digits to learn from.
    pub(super) train: Samples,
    /// Steps an epoch.
    pub(super) steps: usize,
    /// How many epochs.
    epochs: u32,
    /// Epochs of the run before the first of these, and their steps.
    before: (u32, usize),
    highest_rate: f64,
    is_tuning: bool,
}

/// What changes from step to step.
#[derive(Debug)]
pub(super) struct Moment {
    /// From 0, over all epochs of the run.
    pub(super) step: usize,
    pub(super) learning_rate: f64,
    /// The part of its digits that the generator learns from.
    pub(super) top_part: f64,
    /// Whether the generator normalises by its running statistics, not by those of the batch.
    pub(super) frozen_norms: bool,
}

/// The phases of a run, in their order; the last one has the last epoch.
pub(super) fn phases(recipe: &Recipe, adversarial: &Adversarial, train: &Samples) -> Vec<Phase> {
    let tuning = adversarial.tuning.as_ref();
    let tuned = tuning.map_or(0.0, |it| f64::from(recipe.epochs) * it.part);
    let tuned = (tuned.round() as u32).min(recipe.epochs);
    let phase = |before, epochs, part, highest_rate, is_tuning| {
        let train = typical(train, part);
        Phase {
            steps: Batches::count(train.len(), recipe.batch_size),
            train,
            epochs,
            before,
            highest_rate,
            is_tuning,
        }
    };
    let learned = recipe.epochs - tuned;
    let rate = recipe.optimizer.learning_rate;
    let mut phases = vec![phase(
        (0, 0),
        learned,
        adversarial.typical_part,
        rate,
        false,
    )];
    if let Some(it) = tuning {
        let before = (learned, learned as usize * phases[0].steps);
        phases.push(phase(
            before,
            tuned,
            it.typical_part,
            it.learning_rate,
            true,
        ));
    }
    phases
}

// === impl Phase ===

impl Phase {
    /// Whether the epoch (from 1) is one of these.
    pub(super) fn has(&self, epoch: u32) -> bool {
        (self.before.0 + 1..=self.before.0 + self.epochs).contains(&epoch)
    }

    /// What step `index` of epoch `epoch` is like.
    pub(super) fn moment(
        &self,
        recipe: &Recipe,
        adversarial: &Adversarial,
        epoch: u32,
        index: usize,
    ) -> Moment {
        let (epochs_before, steps_before) = self.before;
        let step = (epoch - epochs_before - 1) as usize * self.steps + index;
        let steps = self.epochs as usize * self.steps;
        // The tuned generator knows what the best of its digits are.
        let progress = if self.is_tuning {
            1.0
        } else {
            (step as f64 / (steps as f64 * TOP_AFTER)).min(1.0)
        };
        Moment {
            step: steps_before + step,
            learning_rate: recipe.scheduled(self.highest_rate, step, steps),
            top_part: 1.0 - (1.0 - adversarial.top_part) * progress,
            frozen_norms: self.is_tuning,
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::models::Architecture;
    use crate::recipe::{Schedule, Tuning};

    fn recipe() -> Recipe {
        let recipe = Recipe::original(Architecture::Gan);
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

    // Few of each digit, so that none is untypical.
    fn samples() -> Samples {
        Samples {
            inputs: vec![Tensor::zeros([20, 28, 28], (Kind::Uint8, Device::Cpu))],
            labels: Tensor::zeros([20], (Kind::Int64, Device::Cpu)),
            texts: None,
        }
    }

    #[test]
    fn a_run_without_tuning_is_one_phase() {
        let adversarial = Adversarial::default();
        let phases = phases(&recipe(), &adversarial, &samples());
        assert_eq!(phases.len(), 1);
        assert!((1..=5).all(|epoch| phases[0].has(epoch)));
        assert!(!phases[0].has(6));
    }

    #[test]
    fn tuning_goes_on_where_learning_ends_at_a_rate_of_its_own() {
        let adversarial = Adversarial {
            top_part: 0.5,
            tuning: Some(Tuning {
                part: 0.4,
                learning_rate: 0.001,
                typical_part: 1.0,
            }),
            ..Adversarial::default()
        };
        let recipe = recipe();
        let phases = phases(&recipe, &adversarial, &samples());
        let of = |epoch| phases.iter().position(|it| it.has(epoch));
        assert_eq!(
            (1..=6).map(of).collect::<Vec<_>>(),
            [Some(0), Some(0), Some(0), Some(1), Some(1), None]
        );
        let moment =
            |phase: usize, epoch, index| phases[phase].moment(&recipe, &adversarial, epoch, index);
        // Five steps an epoch.
        let first = moment(0, 1, 0);
        assert_eq!(
            (first.step, first.top_part, first.frozen_norms),
            (0, 1.0, false)
        );
        assert!((first.learning_rate - 0.01).abs() < 1e-12);
        let learned = moment(0, 3, 4);
        assert_eq!((learned.step, learned.top_part), (14, 0.5));
        assert!(learned.learning_rate < 0.001);
        let tuned = moment(1, 4, 0);
        assert_eq!(
            (tuned.step, tuned.top_part, tuned.frozen_norms),
            (15, 0.5, true)
        );
        assert!((tuned.learning_rate - 0.001).abs() < 1e-12);
        let last = moment(1, 5, 4);
        assert_eq!(last.step, 24);
        assert!(last.learning_rate < 0.0001);
    }
}
