//! The part of a recipe that only the GAN has.

use serde::{Deserialize, Serialize};

/// Balances generator and discriminator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adversarial {
    /// How far below 1 the discriminator's target for handwritten digits is, and only for them
    /// (Salimans et al. 2016, "Improved techniques for training GANs", section 3.4).
    pub label_smoothing: f64,
    /// The weight γ of the discriminator's squared gradient at handwritten digits, R₁ (Mescheder et
    /// al. 2018, "Which training methods for GANs do actually converge?", equation 9).
    pub gradient_penalty: f64,
    /// The discriminator's learning rate over the generator's (Heusel et al. 2017, "GANs trained by
    /// a two time-scale update rule converge to a local Nash equilibrium").
    pub learning_rate_ratio: f64,
    /// The part of a batch's digits that the generator learns from in the end: those that the
    /// discriminator rates best. It starts at 1 and falls to this over the first quarter of the
    /// steps (Sinha et al. 2020, "Top-k training of GANs").
    pub top_part: f64,
    /// The part of each digit's handwritten samples to learn from, see
    /// [`crate::task::generation::typical`].
    pub typical_part: f64,
    /// How the last epochs differ; they do not when absent.
    pub tuning: Option<Tuning>,
}

/// The last epochs of the GAN. The learning rate starts again, lower than before. The generator
/// normalises by its running statistics, as it does when it is served, instead of by each batch's
/// own (Wu and Johnson 2021, "Rethinking 'batch' in BatchNorm", section 4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// Their part of all epochs.
    pub part: f64,
    /// Their highest learning rate; the recipe's schedule runs over these epochs.
    pub learning_rate: f64,
    /// Their `typical_part`.
    pub typical_part: f64,
    /// What the generator learns from classifiers in these epochs; nothing when absent.
    pub feature_matching: Option<FeatureMatching>,
}

/// Learning from the features of classifiers, beside the discriminator (Salimans et al. 2016,
/// section 3.1, with the distance of Heusel et al. 2017 as in Mathiasen and Hvarfner 2020,
/// "Backpropagating through Fréchet Inception Distance").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureMatching {
    /// How many classifiers the run trains for it.
    pub classifiers: u32,
    /// The epochs that each of them learns handwritten digits for.
    pub epochs: u32,
    /// How many pictures that are no digits they learn to be unsure of, as a part of a batch, see
    /// [`crate::data::outliers`].
    pub outliers: f64,
    /// How many digits drawn in the same way they learn beside them, as a part of a batch.
    pub drawn_digits: f64,
    /// What counts how much, one after the other over the epochs of the tuning; the last ones count
    /// until its end. Heavy ones at the highest learning rate made the generator worse
    /// (docs/decisions/021), so they can grow as the rate falls.
    pub weights: Vec<Weights>,
}

/// The parts of what a generator learns from classifiers, for some epochs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// For how many epochs they count.
    pub epochs: u32,
    /// Whether other classifiers are trained first, and take the place of those before. A generator
    /// that learns from the same ones for long seems to draw what only they take for digits.
    #[serde(default)]
    pub new_classifiers: bool,
    /// The weight of the Fréchet distance between the features of generated and of handwritten
    /// digits.
    pub distance: f64,
    /// The weight of the entropy of what a classifier makes of a generated digit.
    pub entropy: f64,
    /// The weight of how much more frequent a digit is than in handwriting.
    pub shares: f64,
}

impl FeatureMatching {
    /// The weights in an epoch of the tuning, counted from 0; `None` if the recipe has none.
    pub fn weights_in(&self, epoch: u32) -> Option<&Weights> {
        self.until(epoch).last()
    }

    /// How often other classifiers have taken the place of the first ones by an epoch of the
    /// tuning, counted from 0.
    pub fn generation_in(&self, epoch: u32) -> u32 {
        let renewals = self.until(epoch).filter(|it| it.new_classifiers);
        renewals.count() as u32
    }

    /// Those of the weights that have counted by an epoch of the tuning.
    fn until(&self, epoch: u32) -> impl Iterator<Item = &Weights> {
        self.weights.iter().scan(0, move |start, it| {
            let has_begun = *start <= epoch;
            *start += it.epochs;
            has_begun.then_some(it)
        })
    }
}

impl Default for Adversarial {
    /// Nothing is added: as the original program trained.
    fn default() -> Self {
        Self {
            label_smoothing: 0.0,
            gradient_penalty: 0.0,
            learning_rate_ratio: 1.0,
            top_part: 1.0,
            typical_part: 1.0,
            tuning: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_follow_each_other_and_the_last_ones_stay() {
        let weights = |epochs| Weights {
            epochs,
            new_classifiers: epochs != 2,
            distance: f64::from(epochs),
            entropy: 0.0,
            shares: 0.0,
        };
        let matching = |weights| FeatureMatching {
            classifiers: 1,
            epochs: 1,
            outliers: 0.0,
            drawn_digits: 0.0,
            weights,
        };
        let some = matching(vec![weights(2), weights(1), weights(3)]);
        let found = (0..8).map(|epoch| some.weights_in(epoch).unwrap().epochs);
        assert_eq!(found.collect::<Vec<_>>(), [2, 2, 1, 3, 3, 3, 3, 3]);
        let found = (0..8).map(|epoch| some.generation_in(epoch));
        assert_eq!(found.collect::<Vec<_>>(), [0, 0, 1, 2, 2, 2, 2, 2]);
        assert_eq!(matching(Vec::new()).weights_in(0), None);
    }
}
