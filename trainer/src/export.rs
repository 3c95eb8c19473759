//! From a network to an ONNX model.

use quintet_onnx::{DataType, Dim, GraphBuilder, GraphError, Model, Value, ops};
use tch::{Device, Kind, Tensor};

use crate::evaluate::CLASSES;
use crate::network::Network;

/// Name of the graph's input, uint8 `[N, 28, 28]`.
pub const INPUT: &str = "pixels";
/// Name of the graph's output, float32 `[N, 10]`.
pub const OUTPUT: &str = "probabilities";
/// Height and width of an image.
pub const SIDE: usize = 28;

/// How the file stores weights. Every computation is in float32 either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// As trained.
    Float32,
    /// Rounded to float16, with the cast back in the graph: half the size.
    Float16,
}

/// A graph in the making; layers write themselves to it.
#[derive(Debug)]
pub struct Exporter {
    graph: GraphBuilder,
    precision: Precision,
}

/// Writes `network` as a model from [`INPUT`] to [`OUTPUT`].
pub fn export(network: &Network, precision: Precision) -> Result<Model, GraphError> {
    let architecture = network.architecture();
    let mut to = Exporter {
        graph: GraphBuilder::new(architecture.as_str()),
        precision,
    };
    let shape = [Dim::symbol("N"), SIDE.into(), SIDE.into()];
    let pixels = to.graph.input(INPUT, DataType::Uint8, shape)?;
    let logits = network.model().export(&mut to, &pixels)?;
    let probabilities = ops::softmax(&mut to.graph, &logits, -1)?;
    debug_assert_eq!(probabilities.shape().to_string(), format!("[N, {CLASSES}]"));
    to.graph.output(OUTPUT, &probabilities)?;
    to.graph.build(&[
        ("architecture", architecture.as_str()),
        ("task", "image_classification"),
    ])
}

fn values(weight: &Tensor) -> Vec<f32> {
    let flat = weight
        .detach()
        .to_device(Device::Cpu)
        .to_kind(Kind::Float)
        .flatten(0, -1);
    Vec::try_from(flat).expect("the tensor was made float32 and flat")
}

// === impl Exporter ===

impl Exporter {
    /// The graph, for nodes without weights.
    pub fn graph(&mut self) -> &mut GraphBuilder {
        &mut self.graph
    }

    /// A weight as a float32 value of the graph, whatever it is stored as.
    pub fn weight(&mut self, name: &str, weight: &Tensor) -> Result<Value, GraphError> {
        let shape: Vec<usize> = weight
            .size()
            .into_iter()
            .map(|length| length as usize)
            .collect();
        let data = values(weight);
        match self.precision {
            Precision::Float32 => self.graph.initializer_f32(name, &shape, &data),
            Precision::Float16 => self.graph.weight_f16(name, &shape, &data),
        }
    }
}
