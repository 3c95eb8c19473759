//! Initializers: Rust slices as little-endian `TensorProto`s.

use half::f16;

use crate::data_type::DataType;
use crate::error::{GraphError, Result};
use crate::proto::TensorProto;
use crate::shape::{Shape, volume};

/// A Rust type that ONNX has an element type for.
pub trait Element: Copy {
    /// The element type.
    const DATA_TYPE: DataType;

    /// Appends the element's little-endian bytes.
    fn write(self, bytes: &mut Vec<u8>);
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
