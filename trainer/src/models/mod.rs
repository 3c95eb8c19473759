//! The networks: one file each, computing themselves and writing themselves as ONNX.

pub mod cnn;
pub mod mlp;

use std::fmt;

use quintet_onnx::{GraphError, Value};
use serde::{Deserialize, Serialize};
use tch::{Tensor, nn};

pub use cnn::Cnn;
pub use mlp::Mlp;

use crate::export::Exporter;

/// A network that classifies 28×28 images into the ten digits.
pub trait Model: fmt::Debug {
    /// Logits, float32 `[N, 10]`, of `pixels` `[N, 28, 28]` in 0..=255 (uint8 or float32).
    ///
    /// `train` turns dropout on.
    fn forward_t(&self, pixels: &Tensor, train: bool) -> Tensor;

    /// Writes the layers: from `pixels`, uint8 `[N, 28, 28]`, to the logits, float32 `[N, 10]`.
    fn export(&self, to: &mut Exporter, pixels: &Value) -> Result<Value, GraphError>;
}

/// The networks that the trainer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// Multi-layer perceptron.
    Mlp,
    /// Convolutional network.
    Cnn,
}

// === impl Architecture ===

impl Architecture {
    /// Every architecture, in the order in which `train all` trains them.
    pub const ALL: [Self; 2] = [Self::Mlp, Self::Cnn];

    /// The name on the command line, in recipes, in `runs/` and in `models/`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mlp => "mlp",
            Self::Cnn => "cnn",
        }
    }

    /// How many numbers the network learns.
    pub const fn parameters(self) -> u64 {
        match self {
            Self::Mlp => 109_386,
            Self::Cnn => 225_034,
        }
    }

    /// Builds the network with fresh weights under `vs`.
    pub fn build(self, vs: &nn::Path<'_>) -> Box<dyn Model> {
        match self {
            Self::Mlp => Box::new(Mlp::new(vs)),
            Self::Cnn => Box::new(Cnn::new(vs)),
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
