//! A model together with its weights.

use quintet_bundle::Quantization;
use quintet_onnx::Storage;
use tch::{Device, Kind, TchError, Tensor, nn};

use crate::error::Error;
use crate::export::shape_and_values;
use crate::models::{Architecture, Model};
use crate::precision::Precision;
use crate::recipe::Recipe;

/// A network and the weights it computes with.
#[derive(Debug)]
pub struct Network {
    architecture: &'static Architecture,
    storage: Storage,
    quantization: Option<Quantization>,
    store: nn::VarStore,
    precision: Precision,
    model: Box<dyn Model>,
}

/// The variables of a store by name, in the order of their names.
pub(crate) fn sorted(store: &nn::VarStore) -> Vec<(String, Tensor)> {
    let mut weights: Vec<_> = store.variables().into_iter().collect();
    weights.sort_by(|(left, _), (right, _)| left.cmp(right));
    weights
}

impl Network {
    /// Fresh weights on `device`, from libtorch's random generator.
    pub fn new(architecture: &'static Architecture, recipe: &Recipe, device: Device) -> Self {
        let store = nn::VarStore::new(device);
        let model = (architecture.build)(&store.root(), recipe);
        Self {
            precision: recipe.precision.unwrap_or(Precision::Float32),
            architecture,
            storage: recipe.storage,
            quantization: None,
            store,
            model,
        }
    }

    /// Which network it is.
    pub fn architecture(&self) -> &'static Architecture {
        self.architecture
    }

    /// What its layers compute in while it trains.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// How its weights are stored in a bundle.
    pub fn storage(&self) -> Storage {
        self.storage
    }

    /// What its large products are computed in, if not in float32.
    pub fn quantization(&self) -> Option<Quantization> {
        self.quantization
    }

    /// Lets the layers that can compute in int8 do so from now on, with the weights that they have
    /// now.
    ///
    /// # Errors
    /// The network has no such layers, or a weight is not finite.
    pub fn quantize(&mut self) -> Result<(), Error> {
        if !self.model.quantize()? {
            let name = self.architecture;
            let allowed = format!("float32 for {name}: only a Transformer computes in int8");
            return Err(Error::value("--quantize", Quantization::Int8, &allowed));
        }
        self.quantization = Some(Quantization::Int8);
        Ok(())
    }

    /// Divides the logits by a temperature, in the weights of the last layer.
    ///
    /// # Errors
    /// The last layer is not dense.
    pub fn divide_logits(&self, temperature: f64) -> Result<(), Error> {
        if self.model.scale(1.0 / temperature) {
            return Ok(());
        }
        let allowed = "for networks that end with a dense layer";
        Err(Error::value("outliers", self.architecture, allowed))
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
        self.in_precision(|| self.model.forward_t(inputs, true))
            .to_kind(Kind::Float)
    }

    /// Computes `compute` in the precision that the network trains in.
    pub fn in_precision<T>(&self, compute: impl FnOnce() -> T) -> T {
        self.precision.scope(compute)
    }

    /// What the exported graph gives, with dropout off: probabilities, scores or pixels.
    pub fn output(&self, inputs: &[Tensor]) -> Tensor {
        let inputs = inputs.iter().map(|it| it.to_device(self.device()));
        let inputs: Vec<Tensor> = inputs.collect();
        tch::no_grad(|| {
            self.architecture
                .task
                .output(&self.model.forward_t(&inputs, false))
        })
    }

    /// The weights by name, in the order of their names. They share memory with the network.
    pub fn weights(&self) -> Vec<(String, Tensor)> {
        sorted(&self.store)
    }

    /// The weights that training changes by their gradients; the others are running statistics.
    pub fn trainable(&self) -> Vec<(String, Tensor)> {
        let mut weights = self.weights();
        weights.retain(|(_, weight)| weight.requires_grad());
        weights
    }

    /// How many numbers the network learns.
    pub fn parameters(&self) -> u64 {
        self.trainable()
            .iter()
            .map(|(_, it)| it.numel() as u64)
            .sum()
    }

    /// Copies the weights of another network of the same architecture.
    pub fn copy_from(&mut self, other: &Self) -> Result<(), TchError> {
        self.store.copy(&other.store)
    }

    /// Rounds every weight as the exported file stores it. What a file does not have is folded into
    /// what it has first, see [`Model::fold`].
    pub fn round_as_stored(&mut self) {
        self.model.fold();
        tch::no_grad(|| {
            for (_, mut weight) in self.weights() {
                let (shape, values) = shape_and_values(&weight);
                let rounded = self.storage.round(&shape, 0, values);
                weight.copy_(&Tensor::from_slice(&rounded).reshape(weight.size()));
            }
        });
    }
}
