//! From a network to an ONNX model.

use quintet_bundle as bundle;
use quintet_onnx::{DataType, Dim, GraphBuilder, GraphError, Model, Shape, Value};
use tch::{Device, Kind, Tensor};

use crate::network::Network;

/// Writes `network` as a model from its task's inputs to its output, with its weights as
/// [`Network::storage`] says.
pub fn export(network: &Network) -> Result<Model, GraphError> {
    let architecture = network.architecture();
    let task = architecture.task;
    let signature = task.signature(architecture.dataset);
    let mut graph = GraphBuilder::new(architecture.name);
    graph.set_storage(network.storage());
    let inputs = signature.inputs.iter().map(|it| input(&mut graph, it));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    let last = network.model().export(&mut graph, &inputs)?;
    let output = task.export(&mut graph, &last)?;
    graph.output(&signature.output.name, &output)?;
    graph.build(&[("architecture", architecture.name), ("task", task.name())])
}

/// Adds a weight named `layer.name`, whose first axis is that of its channels, and gives it as a
/// float32 value. The graph decides how it is stored, see [`GraphBuilder::set_storage`].
pub fn add_weight(
    graph: &mut GraphBuilder,
    layer: &str,
    name: &str,
    weight: &Tensor,
) -> Result<Value, GraphError> {
    add_weight_along(graph, layer, name, weight, 0)
}

/// As [`add_weight`], with the channels along another axis: the one that was the first before the
/// weight was brought to the form of its operator.
pub fn add_weight_along(
    graph: &mut GraphBuilder,
    layer: &str,
    name: &str,
    weight: &Tensor,
    axis: usize,
) -> Result<Value, GraphError> {
    let (shape, values) = shape_and_values(weight);
    graph.weight(&format!("{layer}.{name}"), &shape, axis, &values)
}

/// The lengths of a tensor, and its numbers as float32.
pub(crate) fn shape_and_values(tensor: &Tensor) -> (Vec<usize>, Vec<f32>) {
    let shape = tensor.size().iter().map(|&it| it as usize).collect();
    let flat = tensor.detach().to_device(Device::Cpu).flatten(0, -1);
    let values = Vec::<f32>::try_from(flat.to_kind(Kind::Float));
    (shape, values.expect("the tensor is float32 and flat"))
}

/// Adds the input that a bundle's manifest describes.
pub fn input(graph: &mut GraphBuilder, spec: &bundle::TensorSpec) -> Result<Value, GraphError> {
    graph.input(&spec.name, datatype(spec.datatype), shape(&spec.shape))
}

/// The graph's type of a bundle's.
pub(crate) fn datatype(datatype: bundle::DataType) -> DataType {
    match datatype {
        bundle::DataType::Uint8 => DataType::Uint8,
        bundle::DataType::Int32 => DataType::Int32,
        bundle::DataType::Int64 => DataType::Int64,
        bundle::DataType::Float32 => DataType::Float32,
    }
}

/// The graph's shape of a bundle's.
pub(crate) fn shape(dims: &[bundle::Dim]) -> Shape {
    let dim = |dim: &bundle::Dim| match dim {
        bundle::Dim::Fixed(length) => Dim::from(*length),
        bundle::Dim::Symbol(name) => Dim::symbol(name),
    };
    dims.iter().map(dim).collect()
}
