//! An exponential moving average of the weights.
//!
//! The average of the last steps generalises better than the last step alone (Polyak & Juditsky
//! 1992), and its validation figures jump less from epoch to epoch.

use tch::TchError;

use crate::network::Network;
use crate::recipe::Recipe;

/// A second network that follows the trained one.
#[derive(Debug)]
pub struct WeightAverage {
    network: Network,
    decay: f64,
}

impl WeightAverage {
    /// Starts at the weights of `trained`. Without averaging in the recipe, each step copies them.
    pub fn new(trained: &Network, recipe: &Recipe) -> Result<Self, TchError> {
        let mut network = Network::new(trained.architecture(), recipe, trained.device());
        network.copy_from(trained)?;
        let decay = recipe.averaging.as_ref().map_or(0.0, |it| it.decay);
        Ok(Self { network, decay })
    }

    /// Moves the average towards the weights of `trained` after step `step` (from 0).
    ///
    /// The first steps count less, so that the random start is soon forgotten.
    pub fn update(&mut self, trained: &Network, step: usize) {
        let step = step as f64;
        let decay = self.decay.min((1.0 + step) / (10.0 + step));
        tch::no_grad(|| {
            let averages = self.network.weights().into_iter();
            for ((_, mut average), (_, weight)) in averages.zip(trained.weights()) {
                let _ = average.lerp_(&weight, 1.0 - decay);
            }
        });
    }

    /// The averaged network.
    pub fn network(&self) -> &Network {
        &self.network
    }
}
