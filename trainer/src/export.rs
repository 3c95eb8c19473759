//! From a network to an ONNX model.

use quintet_bundle as bundle;
use quintet_onnx::{DataType, Dim, GraphBuilder, GraphError, Model, Shape, Storage, Value};
use tch::{Device, Kind, Tensor};

use crate::network::Network;

/// How the bundles of trained networks store their weights.
pub const STORAGE: Storage = Storage::Float16;

/// Writes `network` as a model from its task's inputs to its output, with its weights as
/// [`STORAGE`] says.
pub fn export(network: &Network) -> Result<Model, GraphError> {
    let architecture = network.architecture();
    let task = architecture.task;
    let signature = task.signature(architecture.dataset);
    let mut graph = GraphBuilder::new(architecture.name);
    graph.set_storage(STORAGE);
    let inputs = signature.inputs.iter().map(|it| input(&mut graph, it));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    let last = network.model().export(&mut graph, &inputs)?;
    let output = task.export(&mut graph, &last)?;
    graph.output(&signature.output.name, &output)?;
    graph.build(&[("architecture", architecture.name), ("task", task.name())])
}

/// Adds a weight named `layer.name` and gives it as a float32 value. The graph decides how it is
/// stored, see [`GraphBuilder::set_storage`].
pub fn add_weight(
    graph: &mut GraphBuilder,
    layer: &str,
    name: &str,
    weight: &Tensor,
) -> Result<Value, GraphError> {
    let shape: Vec<usize> = weight.size().iter().map(|&it| it as usize).collect();
    let flat = weight.detach().to_device(Device::Cpu).flatten(0, -1);
    let values = Vec::<f32>::try_from(flat.to_kind(Kind::Float));
    let values = values.expect("the tensor is float32 and flat");
    graph.weight(&format!("{layer}.{name}"), &shape, &values)
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
