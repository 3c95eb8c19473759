//! How the learning rate moves over the steps of a run.

use serde::{Deserialize, Serialize};

/// Linear warm-up from zero, then half a cosine down to the final rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The part of all steps that warms up.
    pub warmup_fraction: f64,
    /// The last learning rate, as a fraction of the highest.
    pub final_fraction: f64,
}

/// Consecutive epochs in which the learning rate moves through its schedule once.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// The first of the epochs, from 1.
    pub first_epoch: u32,
    /// How many epochs.
    pub epochs: u32,
    /// Steps of the run before the first of these.
    pub first_step: usize,
    /// Steps an epoch.
    pub steps: usize,
    /// The highest learning rate.
    pub highest_rate: f64,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// From 1.
    pub epoch: u32,
    /// From 0, over all epochs of the run.
    pub step: usize,
    /// From 0, over the epochs of the phase.
    pub phase_step: usize,
    /// How many steps the phase has.
    pub phase_steps: usize,
    /// The learning rate of the step.
    pub learning_rate: f64,
}

impl Schedule {
    /// The learning rate of step `step` (from 0) of `steps`, if the highest one is `highest`.
    pub fn learning_rate(&self, highest: f64, step: usize, steps: usize) -> f64 {
        let warmup = (steps as f64 * self.warmup_fraction).round();
        let step = step as f64;
        if step < warmup {
            return highest * (step + 1.0) / warmup;
        }
        let progress = (step - warmup) / (steps as f64 - warmup).max(1.0);
        let cosine = f64::midpoint(1.0, (std::f64::consts::PI * progress).cos());
        highest * (self.final_fraction + (1.0 - self.final_fraction) * cosine)
    }
}

impl Phase {
    /// Whether the epoch (from 1) is one of these.
    pub fn contains(&self, epoch: u32) -> bool {
        (self.first_epoch..self.first_epoch + self.epochs).contains(&epoch)
    }

    /// Step `index` (from 0) of epoch `epoch`. The rate is constant without a schedule.
    pub fn moment(&self, schedule: Option<&Schedule>, epoch: u32, index: usize) -> Moment {
        let phase_step = (epoch - self.first_epoch) as usize * self.steps + index;
        let phase_steps = self.epochs as usize * self.steps;
        let highest = self.highest_rate;
        let scheduled = |it: &Schedule| it.learning_rate(highest, phase_step, phase_steps);
        Moment {
            epoch,
            step: self.first_step + phase_step,
            phase_step,
            phase_steps,
            learning_rate: schedule.map_or(highest, scheduled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_rises_then_falls() {
        let phase = Phase {
            first_epoch: 1,
            epochs: 1,
            first_step: 0,
            steps: 100,
            highest_rate: 1e-3,
        };
        let constant = phase.moment(None, 1, 7).learning_rate;
        assert_eq!(constant.to_bits(), 1e-3_f64.to_bits());
        let schedule = Schedule {
            warmup_fraction: 0.2,
            final_fraction: 0.1,
        };
        let rate = |step| phase.moment(Some(&schedule), 1, step).learning_rate;
        let rates: Vec<f64> = (0..100).map(rate).collect();
        assert!((rates[0] - 1e-3 / 20.0).abs() < 1e-12);
        assert!((rates[19] - 1e-3).abs() < 1e-12 && (rates[20] - 1e-3).abs() < 1e-12);
        assert!(rates[..20].is_sorted() && rates[20..].iter().rev().is_sorted());
        assert!((rates[99] - 1e-4).abs() < 1e-5, "{}", rates[99]);
    }
}
