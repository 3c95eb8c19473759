//! Initializers: Rust slices as little-endian `TensorProto`s, and weights read back from a file.

use half::f16;
use prost::Message;

use crate::data_type::DataType;
use crate::error::{GraphError, Result};
use crate::proto::{AttributeProto, ModelProto, TensorProto};
use crate::shape::{Shape, volume};

/// A Rust type that ONNX has an element type for.
pub trait Element: Copy {
    /// The element type.
    const DATA_TYPE: DataType;

    /// Appends the element's little-endian bytes.
    fn write(self, bytes: &mut Vec<u8>);
}

/// A weight of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Initializer {
    /// Its name in the graph.
    pub name: String,
    /// Its lengths; empty for a single number.
    pub shape: Vec<usize>,
    /// Its numbers in row-major order, whichever float type they are stored in.
    pub data: Vec<f32>,
    /// The graph's float32 value of these numbers, if it has one: the weight itself, or what it is
    /// cast to.
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

/// The float16 and float32 initializers of a model that [`crate::Model::to_bytes`] wrote.
pub fn initializers(model: &[u8]) -> std::result::Result<Vec<Initializer>, ReadError> {
    let graph = ModelProto::decode(model)?.graph.unwrap_or_default();
    let is_float32 = |attribute: &AttributeProto| {
        attribute.name == "to" && attribute.i == Some(DataType::Float32.code().into())
    };
    let cast_of = |name: &str| {
        let mut nodes = graph.node.iter();
        let cast = nodes.find(|node| {
            node.op_type == "Cast" && node.input == [name] && node.attribute.iter().any(is_float32)
        });
        cast.and_then(|node| node.output.first().cloned())
    };
    let mut read = Vec::new();
    for tensor in graph.initializer {
        let mut float32 = Some(tensor.name.clone());
        let data: Vec<f32> = if tensor.data_type == DataType::Float32.code() {
            let (numbers, _) = tensor.raw_data.as_chunks();
            numbers.iter().map(|&it| f32::from_le_bytes(it)).collect()
        } else if tensor.data_type == DataType::Float16.code() {
            float32 = cast_of(&tensor.name);
            let (numbers, _) = tensor.raw_data.as_chunks();
            numbers
                .iter()
                .map(|&it| f16::from_le_bytes(it).to_f32())
                .collect()
        } else {
            continue;
        };
        let shape: Option<Vec<usize>> = tensor.dims.iter().map(|&it| it.try_into().ok()).collect();
        let elements = shape.as_deref().and_then(|shape| {
            let mut lengths = shape.iter();
            lengths.try_fold(1_usize, |all, &length| all.checked_mul(length))
        });
        match shape {
            Some(shape) if elements == Some(data.len()) => {
                read.push(Initializer {
                    name: tensor.name,
                    shape,
                    data,
                    float32,
                });
            }
            _ => {
                return Err(ReadError::Length {
                    name: tensor.name,
                    shape: tensor.dims,
                    bytes: tensor.raw_data.len(),
                });
            }
        }
    }
    Ok(read)
}

/// A constant named `name` that holds `data` in row-major order.
pub(crate) fn tensor<T: Element>(name: &str, shape: &[usize], data: &[T]) -> Result<TensorProto> {
    let dims = Shape::from(shape);
    dims.check(name)?;
    let (actual, (expected, _)) = (data.len(), volume(&dims));
    if actual as u128 != expected {
        return Err(GraphError::Value(format!(
            "initializer `{name}` has {actual} elements, but its shape {dims} needs {expected}"
        )));
    }
    let mut raw_data = Vec::with_capacity(data.len() * T::DATA_TYPE.size());
    for element in data {
        element.write(&mut raw_data);
    }
    Ok(TensorProto {
        dims: shape.iter().map(|&length| length as i64).collect(),
        data_type: T::DATA_TYPE.code(),
        name: name.to_owned(),
        raw_data,
        ..TensorProto::default()
    })
}

macro_rules! element {
    ($rust:ty, $data_type:ident) => {
        impl Element for $rust {
            const DATA_TYPE: DataType = DataType::$data_type;

            fn write(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        }
    };
}

element!(u8, Uint8);
element!(i8, Int8);
element!(i32, Int32);
element!(i64, Int64);
element!(f16, Float16);
element!(f32, Float32);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::GraphProto;

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
