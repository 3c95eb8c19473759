//! Initializers: Rust slices as little-endian `TensorProto`s.

use half::f16;

use crate::data_type::DataType;
use crate::error::GraphError;
use crate::proto::TensorProto;
use crate::shape::{Shape, volume};

/// A Rust type that ONNX has an element type for.
pub(crate) trait Element: Copy {
    const DATA_TYPE: DataType;

    /// Appends the element's little-endian bytes.
    fn write(self, bytes: &mut Vec<u8>);
}

/// A constant named `name` that holds `data` in row-major order.
pub(crate) fn tensor<T: Element>(
    name: &str,
    shape: &[usize],
    data: &[T],
) -> Result<TensorProto, GraphError> {
    let dims = Shape::from(shape);
    if let Some(flaw) = dims.flaw() {
        return Err(GraphError::Shape {
            name: name.to_owned(),
            shape: dims,
            flaw,
        });
    }
    let (expected, _) = volume(&dims);
    if data.len() as u128 != expected {
        return Err(GraphError::Length {
            name: name.to_owned(),
            shape: dims,
            actual: data.len(),
            expected,
        });
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
    })
}

/// `data` rounded to the nearest float16; a finite value must stay finite.
pub(crate) fn to_float16(name: &str, data: &[f32]) -> Result<Vec<f16>, GraphError> {
    data.iter()
        .enumerate()
        .map(|(index, &value)| {
            let half = f16::from_f32(value);
            if value.is_finite() && half.is_infinite() {
                return Err(GraphError::Float16Range {
                    name: name.to_owned(),
                    index,
                    value,
                });
            }
            Ok(half)
        })
        .collect()
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
element!(i32, Int32);
element!(i64, Int64);
element!(f16, Float16);
element!(f32, Float32);
