//! The weights of a model, read back.

use half::f16;
use prost::Message;

use super::int8;
use crate::data_type::DataType;
use crate::proto::{GraphProto, ModelProto, NodeProto, TensorProto};

/// A weight of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Initializer {
    /// Its name in the graph.
    pub name: String,
    /// Its lengths; empty for a single number.
    pub shape: Vec<usize>,
    /// Its numbers in row-major order, however they are stored.
    pub data: Vec<f32>,
    /// The graph's float32 value of these numbers, if it has one: the weight itself, or what is
    /// computed of it.
    pub float32: Option<String>,
}

/// Why the weights of a file cannot be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Not an ONNX model.
    #[error("not an ONNX model: {0}")]
    Decode(#[from] prost::DecodeError),
    /// A length is negative, or the data does not fill the shape.
    #[error("initializer `{name}` of shape {shape:?} has {bytes} bytes")]
    Length {
        /// The initializer.
        name: String,
        /// Its shape.
        shape: Vec<i64>,
        /// Bytes that are there.
        bytes: usize,
    },
}

/// The weights of a model that [`crate::Model::to_bytes`] wrote: its float32 and float16
/// initializers, and those of int8 that have a scale, which is not listed beside them.
pub fn initializers(model: &[u8]) -> Result<Vec<Initializer>, ReadError> {
    let graph = ModelProto::decode(model)?.graph.unwrap_or_default();
    let (mut read, mut scales) = (Vec::new(), Vec::new());
    for tensor in &graph.initializer {
        let (data, float32) = if is(tensor, DataType::Float32) {
            (floats(tensor), Some(tensor.name.clone()))
        } else if is(tensor, DataType::Float16) {
            let (numbers, _) = tensor.raw_data.as_chunks();
            let numbers = numbers.iter().map(|&it| f16::from_le_bytes(it).to_f32());
            (numbers.collect(), cast(&graph, &tensor.name))
        } else if let Some(scaled) = scaled(&graph, tensor) {
            scales.push(scaled.scale);
            (scaled.data, Some(scaled.value))
        } else {
            continue;
        };
        read.push(Initializer {
            name: tensor.name.clone(),
            shape: shape(tensor)?,
            data,
            float32,
        });
    }
    read.retain(|it| !scales.contains(&it.name.as_str()));
    Ok(read)
}

/// A weight that is stored as int8.
struct Scaled<'g> {
    /// The graph's product of the numbers and their scale.
    value: String,
    data: Vec<f32>,
    /// The scale's name.
    scale: &'g str,
}

fn is(tensor: &TensorProto, data_type: DataType) -> bool {
    tensor.data_type == data_type.code()
}

fn floats(tensor: &TensorProto) -> Vec<f32> {
    let (numbers, _) = tensor.raw_data.as_chunks();
    numbers.iter().map(|&it| f32::from_le_bytes(it)).collect()
}

/// The lengths, which the data fills.
fn shape(tensor: &TensorProto) -> Result<Vec<usize>, ReadError> {
    let size = DataType::from_code(tensor.data_type).map_or(1, DataType::size);
    let shape: Option<Vec<usize>> = tensor.dims.iter().map(|&it| it.try_into().ok()).collect();
    let bytes = shape.as_deref().and_then(|shape| {
        let mut lengths = shape.iter();
        lengths.try_fold(size, |all, &length| all.checked_mul(length))
    });
    match shape {
        Some(shape) if bytes == Some(tensor.raw_data.len()) => Ok(shape),
        _ => Err(ReadError::Length {
            name: tensor.name.clone(),
            shape: tensor.dims.clone(),
            bytes: tensor.raw_data.len(),
        }),
    }
}

fn readers<'g>(
    graph: &'g GraphProto,
    op: &str,
    value: &str,
) -> impl Iterator<Item = &'g NodeProto> {
    let nodes = graph.node.iter();
    nodes.filter(move |it| it.op_type == op && it.input.first().is_some_and(|it| it == value))
}

/// The float32 value that a value is cast to.
fn cast(graph: &GraphProto, value: &str) -> Option<String> {
    let is_float32 = |node: &&NodeProto| {
        let float32 = Some(DataType::Float32.code().into());
        let mut attributes = node.attribute.iter();
        attributes.any(|it| it.name == "to" && it.i == float32)
    };
    let node = readers(graph, "Cast", value).find(is_float32)?;
    node.output.first().cloned()
}

/// The weight that an int8 tensor and a scale make together.
fn scaled<'g>(graph: &'g GraphProto, tensor: &TensorProto) -> Option<Scaled<'g>> {
    if !is(tensor, DataType::Int8) {
        return None;
    }
    let number = cast(graph, &tensor.name)?;
    let product = readers(graph, "Mul", &number).next()?;
    let mut initializers = graph.initializer.iter();
    let scale = initializers.find(|it| product.input.get(1) == Some(&it.name))?;
    let (lengths, scales) = (shape(tensor).ok()?, shape(scale).ok()?);
    let axis = scales.iter().position(|&length| length != 1);
    let axis = axis.or_else(|| lengths.iter().position(|&length| length == 1))?;
    let mut expected = vec![1; lengths.len()];
    *expected.get_mut(axis)? = lengths[axis];
    let fits = is(scale, DataType::Float32) && scales == expected;
    fits.then(|| {
        let data = int8::dequantize(&lengths, axis, &tensor.raw_data, &floats(scale));
        Some(Scaled {
            value: product.output.first()?.clone(),
            data,
            scale: &scale.name,
        })
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The product of these lengths is 0 in 64 bits, as many as there are numbers.
    #[test]
    fn a_shape_that_overflows_is_refused() {
        let weight = TensorProto {
            name: "weight".to_owned(),
            dims: vec![1 << 32, 1 << 32],
            data_type: DataType::Float32.code(),
            ..TensorProto::default()
        };
        let graph = GraphProto {
            initializer: vec![weight],
            ..GraphProto::default()
        };
        let model = ModelProto {
            graph: Some(graph),
            ..ModelProto::default()
        };
        let read = initializers(&model.encode_to_vec());
        assert!(matches!(read, Err(ReadError::Length { .. })), "{read:?}");
    }
}
