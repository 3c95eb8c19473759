//! The ONNX graph that the layers of a network write themselves to.

use quintet_onnx::{GraphBuilder, GraphError, Model, Value};
use tch::{Device, Kind, Tensor};

/// How the file stores weights. Every computation is in float32 either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// As trained.
    Float32,
    /// Rounded to float16, with the cast back in the graph: half the size.
    Float16,
}

/// A graph under construction.
#[derive(Debug)]
pub struct Exporter {
    graph: GraphBuilder,
    precision: Precision,
}

impl Exporter {
    /// An empty graph.
    pub fn new(name: &str, precision: Precision) -> Self {
        Self {
            graph: GraphBuilder::new(name),
            precision,
        }
    }

    /// The graph, for inputs, outputs and nodes without weights.
    pub fn graph(&mut self) -> &mut GraphBuilder {
        &mut self.graph
    }

    /// A weight as a float32 value of the graph named `layer.name`, whatever it is stored as.
    pub fn weight(
        &mut self,
        layer: &str,
        name: &str,
        weight: &Tensor,
    ) -> Result<Value, GraphError> {
        let name = format!("{layer}.{name}");
        let shape: Vec<usize> = weight.size().iter().map(|&it| it as usize).collect();
        let flat = weight.detach().to_device(Device::Cpu).flatten(0, -1);
        let values = Vec::<f32>::try_from(flat.to_kind(Kind::Float));
        let values = values.expect("the tensor is float32 and flat");
        match self.precision {
            Precision::Float32 => self.graph.initializer_f32(&name, &shape, &values),
            Precision::Float16 => self.graph.weight_f16(&name, &shape, &values),
        }
    }

    /// Checks the graph and adds `metadata`.
    pub fn build(self, metadata: &[(&str, &str)]) -> Result<Model, GraphError> {
        self.graph.build(metadata)
    }
}
