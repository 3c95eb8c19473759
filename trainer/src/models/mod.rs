//! The networks: one file each, computing themselves and writing themselves as ONNX.

pub mod cnn;
pub mod mlp;
pub mod sentiment;

use std::fmt;

use quintet_bundle::{DataType, Dim, TensorSpec};
use quintet_onnx::{GraphError, Value};
use serde::{Deserialize, Serialize};
use tch::{Tensor, nn};

pub use cnn::Cnn;
pub use mlp::Mlp;
pub use sentiment::Sentiment;

use crate::data::Dataset;
use crate::export::Exporter;
use crate::layers::Cell;

/// A network that classifies: images into the ten digits, or texts into bad and good.
pub trait Model: fmt::Debug {
    /// Logits of `inputs`, which are the tensors of [`Architecture::inputs`]: float32 `[N, C]`, or
    /// `[N]` where there are two classes (the log odds of the second one).
    ///
    /// `train` turns dropout on. Images may also be float32, in 0..=255.
    fn forward_t(&self, inputs: &[Tensor], train: bool) -> Tensor;

    /// Writes the layers, from the graph's inputs to the logits.
    fn export(&self, to: &mut Exporter, inputs: &[Value]) -> Result<Value, GraphError>;
}

/// Dropout between the layers of a network that reads texts; none of it is part of the layers that
/// the network is known by, and training alone knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequenceDropout {
    /// The chance of a word to be dropped.
    pub words: f64,
    /// The chance of a feature of the embedding to be dropped from all words of a text (Gal &
    /// Ghahramani 2016, "A theoretically grounded application of dropout in recurrent neural
    /// networks").
    pub features: f64,
    /// The chance of a value of the last state to be dropped.
    pub state: f64,
}

/// The networks that the trainer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// Multi-layer perceptron.
    Mlp,
    /// Convolutional network.
    Cnn,
    /// Simple recurrent network.
    SimpleRnn,
    /// Long short-term memory.
    Lstm,
}

// === impl Architecture ===

impl Architecture {
    /// Every architecture, in the order in which `train all` trains them.
    pub const ALL: [Self; 4] = [Self::Mlp, Self::Cnn, Self::SimpleRnn, Self::Lstm];

    /// The name on the command line, in recipes, in `runs/` and in `models/`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mlp => "mlp",
            Self::Cnn => "cnn",
            Self::SimpleRnn => "simple_rnn",
            Self::Lstm => "lstm",
        }
    }

    /// How many numbers the network learns.
    pub const fn parameters(self) -> u64 {
        match self {
            Self::Mlp => 109_386,
            Self::Cnn => 225_034,
            Self::SimpleRnn => 1_294_465,
            Self::Lstm => 1_331_521,
        }
    }

    /// The data that it learns from.
    pub const fn dataset(self) -> Dataset {
        match self {
            Self::Mlp | Self::Cnn => Dataset::Mnist,
            Self::SimpleRnn | Self::Lstm => Dataset::Imdb,
        }
    }

    /// What the graph takes: images as `pixels` uint8 `[N, 28, 28]`, texts as `tokens` int64
    /// `[N, L]`, padded behind their ends, and `lengths` int32 `[N]`.
    pub fn inputs(self) -> Vec<TensorSpec> {
        let rows = || Dim::from("N");
        match self.dataset() {
            Dataset::Mnist => {
                let shape = vec![rows(), Dim::Fixed(28), Dim::Fixed(28)];
                vec![TensorSpec::new("pixels", DataType::Uint8, shape)]
            }
            Dataset::Imdb => vec![
                TensorSpec::new("tokens", DataType::Int64, vec![rows(), Dim::from("L")]),
                TensorSpec::new("lengths", DataType::Int32, vec![rows()]),
            ],
        }
    }

    /// What the graph gives: `probabilities` float32 `[N, 10]` of images, `score` float32 `[N]` of
    /// texts.
    pub fn output(self) -> TensorSpec {
        let rows = Dim::from("N");
        let (name, shape) = match self.dataset() {
            Dataset::Mnist => ("probabilities", vec![rows, Dim::Fixed(10)]),
            Dataset::Imdb => ("score", vec![rows]),
        };
        TensorSpec::new(name, DataType::Float32, shape)
    }

    /// Builds the network with fresh weights under `vs`; `dropout` is for those that read texts.
    pub fn build(self, vs: &nn::Path<'_>, dropout: SequenceDropout) -> Box<dyn Model> {
        match self {
            Self::Mlp => Box::new(Mlp::new(vs)),
            Self::Cnn => Box::new(Cnn::new(vs)),
            Self::SimpleRnn => Box::new(Sentiment::new(vs, Cell::SimpleRnn, dropout)),
            Self::Lstm => Box::new(Sentiment::new(vs, Cell::Lstm, dropout)),
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
