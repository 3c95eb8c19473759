//! The networks: one file each, computing themselves and writing themselves as ONNX.

pub mod cnn;
pub mod gan;
pub mod mlp;
pub mod sentiment;

use std::fmt;

use quintet_bundle::{DataType, Dim, Task, TensorSpec};
use quintet_onnx::{GraphError, Value};
use serde::{Deserialize, Serialize};
use tch::{Tensor, nn};

pub use cnn::Cnn;
pub use gan::{Discriminator, Generator};
pub use mlp::Mlp;
pub use sentiment::Sentiment;

use crate::data::Dataset;
use crate::export::Exporter;
use crate::layers::Cell;

/// A network that classifies, images into the ten digits or texts into bad and good, or one that
/// draws images.
pub trait Model: fmt::Debug {
    /// What the last layer gives for `inputs`, which are the tensors of [`Architecture::inputs`]:
    /// logits float32 `[N, C]`, or `[N]` where there are two classes (the log odds of the second
    /// one); or images float32 `[N, 28, 28]` in −1..=1.
    ///
    /// `train` turns dropout on, and normalises by the batch. Images to classify may also be
    /// float32, in 0..=255.
    fn forward_t(&self, inputs: &[Tensor], train: bool) -> Tensor;

    /// Writes the layers, from the graph's inputs to what [`Model::forward_t`] gives.
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
    /// Generative adversarial network; the model that is kept is its generator.
    Gan,
}

// === impl Architecture ===

impl Architecture {
    /// Every architecture, in the order in which `train all` trains them.
    ///
    /// The GAN comes behind the CNN, which judges it.
    pub const ALL: [Self; 5] = [Self::Mlp, Self::Cnn, Self::SimpleRnn, Self::Lstm, Self::Gan];

    /// Those that learn from labelled samples.
    pub const CLASSIFIERS: [Self; 4] = [Self::Mlp, Self::Cnn, Self::SimpleRnn, Self::Lstm];

    /// The name on the command line, in recipes, in `runs/` and in `models/`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mlp => "mlp",
            Self::Cnn => "cnn",
            Self::SimpleRnn => "simple_rnn",
            Self::Lstm => "lstm",
            Self::Gan => "gan",
        }
    }

    /// How many numbers the network learns; of the GAN those of the generator.
    pub const fn parameters(self) -> u64 {
        match self {
            Self::Mlp => 109_386,
            Self::Cnn => 225_034,
            Self::SimpleRnn => 1_294_465,
            Self::Lstm => 1_331_521,
            Self::Gan => 2_305_472,
        }
    }

    /// The data that it learns from.
    pub const fn dataset(self) -> Dataset {
        match self {
            Self::Mlp | Self::Cnn | Self::Gan => Dataset::Mnist,
            Self::SimpleRnn | Self::Lstm => Dataset::Imdb,
        }
    }

    /// What the network does.
    pub const fn task(self) -> Task {
        match self {
            Self::Mlp | Self::Cnn => Task::ImageClassification,
            Self::SimpleRnn | Self::Lstm => Task::TextClassification,
            Self::Gan => Task::ImageGeneration,
        }
    }

    /// What the graph takes: images as `pixels` uint8 `[N, 28, 28]`, texts as `tokens` int64
    /// `[N, L]`, padded behind their ends, and `lengths` int32 `[N]`, a generator `noise` float32
    /// `[N, 100]`.
    pub fn inputs(self) -> Vec<TensorSpec> {
        let rows = || Dim::from("N");
        match self {
            Self::Mlp | Self::Cnn => vec![pixels()],
            Self::Gan => {
                let shape = vec![rows(), Dim::Fixed(gan::NOISE)];
                vec![TensorSpec::new("noise", DataType::Float32, shape)]
            }
            Self::SimpleRnn | Self::Lstm => vec![
                TensorSpec::new("tokens", DataType::Int64, vec![rows(), Dim::from("L")]),
                TensorSpec::new("lengths", DataType::Int32, vec![rows()]),
            ],
        }
    }

    /// What the graph gives: `probabilities` float32 `[N, 10]` of images, `score` float32 `[N]` of
    /// texts, `pixels` uint8 `[N, 28, 28]` of noise.
    pub fn output(self) -> TensorSpec {
        let rows = Dim::from("N");
        let (name, shape) = match self {
            Self::Mlp | Self::Cnn => ("probabilities", vec![rows, Dim::Fixed(10)]),
            Self::SimpleRnn | Self::Lstm => ("score", vec![rows]),
            Self::Gan => return pixels(),
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
            Self::Gan => Box::new(Generator::new(vs)),
        }
    }
}

fn pixels() -> TensorSpec {
    let shape = vec![Dim::from("N"), Dim::Fixed(28), Dim::Fixed(28)];
    TensorSpec::new("pixels", DataType::Uint8, shape)
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
