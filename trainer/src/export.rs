//! From a network to an ONNX model.

use quintet_bundle as bundle;
use quintet_onnx::{DataType, Dim, GraphBuilder, GraphError, Model, Shape, Value, ops};
use tch::{Device, Kind, Tensor};

use crate::layers::SignedPixels;
use crate::network::Network;

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

/// Writes `network` as a model from its architecture's inputs to its output.
pub fn export(network: &Network, precision: Precision) -> Result<Model, GraphError> {
    let architecture = network.architecture();
    let mut to = Exporter {
        graph: GraphBuilder::new(architecture.as_str()),
        precision,
    };
    let specs = architecture.inputs();
    let inputs = specs.iter().map(|it| input(&mut to.graph, it));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    let last = network.model().export(&mut to, &inputs)?;
    let task = architecture.task();
    let output = match task {
        bundle::Task::ImageGeneration => SignedPixels.export(&mut to, &last)?,
        bundle::Task::TextClassification => ops::sigmoid(&mut to.graph, &last)?,
        _ => ops::softmax(&mut to.graph, &last, -1)?,
    };
    to.graph.output(&architecture.output().name, &output)?;
    let facts = [
        ("architecture", architecture.as_str()),
        ("task", task.as_str()),
    ];
    to.graph.build(&facts)
}

fn input(graph: &mut GraphBuilder, spec: &bundle::TensorSpec) -> Result<Value, GraphError> {
    let datatype = match spec.datatype {
        bundle::DataType::Uint8 => DataType::Uint8,
        bundle::DataType::Int32 => DataType::Int32,
        bundle::DataType::Int64 => DataType::Int64,
        bundle::DataType::Float32 => DataType::Float32,
    };
    let shape = spec.shape.iter().map(|dim| match dim {
        bundle::Dim::Fixed(length) => Dim::from(*length),
        bundle::Dim::Symbol(name) => Dim::symbol(name),
    });
    let shape: Shape = shape.collect();
    graph.input(&spec.name, datatype, shape)
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
