//! A model together with its weights.

use quintet_bundle::Task;
use tch::{Device, TchError, Tensor, nn};

use crate::layers::SignedPixels;
use crate::models::{Architecture, Model, SequenceDropout};

/// A network and the weights it computes with.
#[derive(Debug)]
pub struct Network {
    architecture: Architecture,
    store: nn::VarStore,
    model: Box<dyn Model>,
}

// === impl Network ===

impl Network {
    /// Fresh weights on `device`, drawn from libtorch's random generator.
    pub fn new(architecture: Architecture, device: Device) -> Self {
        Self::with_dropout(architecture, SequenceDropout::default(), device)
    }

    /// As [`Network::new`], with more dropout in training than the layers have.
    pub fn with_dropout(
        architecture: Architecture,
        dropout: SequenceDropout,
        device: Device,
    ) -> Self {
        let store = nn::VarStore::new(device);
        let model = architecture.build(&store.root(), dropout);
        Self {
            architecture,
            store,
            model,
        }
    }

    /// Which network it is.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The layers.
    pub fn model(&self) -> &dyn Model {
        self.model.as_ref()
    }

    /// Where the weights are.
    pub fn device(&self) -> Device {
        self.store.device()
    }

    /// What the last layer gives with dropout on, for training; see [`Model::forward_t`].
    pub fn forward(&self, inputs: &[Tensor]) -> Tensor {
        self.model.forward_t(inputs, true)
    }

    /// What the exported graph gives, [`Architecture::output`], with dropout off: probabilities,
    /// scores or pixels.
    pub fn output(&self, inputs: &[Tensor]) -> Tensor {
        tch::no_grad(|| {
            let last = self.model.forward_t(inputs, false);
            match self.architecture.task() {
                Task::ImageGeneration => SignedPixels.to_pixels(&last),
                Task::TextClassification => last.sigmoid(),
                _ => last.softmax(-1, None),
            }
        })
    }

    /// The weights by name, in the order of their names. They share memory with the network.
    pub fn weights(&self) -> Vec<(String, Tensor)> {
        let mut weights: Vec<_> = self.store.variables().into_iter().collect();
        weights.sort_by(|(left, _), (right, _)| left.cmp(right));
        weights
    }

    /// Those of the weights that training moves by their gradients; the others are running means.
    pub fn trainable(&self) -> Vec<(String, Tensor)> {
        let mut weights = self.weights();
        weights.retain(|(_, weight)| weight.requires_grad());
        weights
    }

    /// How many numbers the network learns.
    pub fn parameters(&self) -> u64 {
        self.trainable()
            .iter()
            .map(|(_, weight)| weight.numel() as u64)
            .sum()
    }

    /// Takes over the values of another network of the same architecture.
    pub fn copy_from(&mut self, other: &Self) -> Result<(), TchError> {
        self.store.copy(&other.store)
    }

    /// Rounds every weight to the nearest float16, as the exported file stores them.
    pub fn round_to_half(&mut self) {
        tch::no_grad(|| {
            for (_, mut weight) in self.weights() {
                let rounded = weight.to_kind(tch::Kind::Half).to_kind(tch::Kind::Float);
                weight.copy_(&rounded);
            }
        });
    }
}
