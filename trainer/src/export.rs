//! From a network to an ONNX model.

use quintet_bundle as bundle;
use quintet_onnx::{DataType, Dim, GraphBuilder, GraphError, Model, Shape, Value};

use crate::graph::{Exporter, Precision};
use crate::network::Network;

/// Writes `network` as a model from its task's inputs to its output.
pub fn export(network: &Network, precision: Precision) -> Result<Model, GraphError> {
    let architecture = network.architecture();
    let task = architecture.task;
    let signature = task.signature(architecture.dataset);
    let mut to = Exporter::new(architecture.name, precision);
    let inputs = signature.inputs.iter().map(|it| input(to.graph(), it));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    let last = network.model().export(&mut to, &inputs)?;
    let output = task.export(&mut to, &last)?;
    to.graph().output(&signature.output.name, &output)?;
    to.build(&[("architecture", architecture.name), ("task", task.name())])
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
