//! Tensors as the bundle and the wire hold them: a type, a shape and little-endian bytes.

use std::fmt;

use safetensors::Dtype;
use serde::{Deserialize, Serialize};

/// A dense tensor, row-major.
#[derive(Clone, PartialEq, Eq)]
pub struct Tensor {
    datatype: DataType,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// A tensor whose bytes do not fill its shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TensorError(String);

/// A Rust type of a tensor's elements.
pub trait Element: Sized {
    /// Its name in a signature.
    const DATATYPE: DataType;
    /// Little-endian bytes of `elements`.
    fn encode(elements: &[Self]) -> Vec<u8>;
    /// The elements in little-endian `bytes`.
    fn decode(bytes: &[u8]) -> impl Iterator<Item = Self>;
}

macro_rules! data_types {
    ($($variant:ident: $element:ty, $name:literal, $dtype:ident;)*) => {
        /// Element types that model signatures use, under the Open Inference Protocol's names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum DataType {
            $(
                #[doc = concat!("`", stringify!($element), "`")]
                #[serde(rename = $name)]
                $variant,
            )*
        }

        impl DataType {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),*];

            /// The Open Inference Protocol's name: `UINT8`, `INT32`, `INT64` or `FP32`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Bytes per element.
            pub const fn size(self) -> usize {
                match self {
                    $(Self::$variant => size_of::<$element>(),)*
                }
            }

            /// The name in a safetensors file.
            pub(crate) const fn dtype(self) -> Dtype {
                match self {
                    $(Self::$variant => Dtype::$dtype,)*
                }
            }
        }

        impl Tensor {
            /// Every element as `f64`, whatever the type; only for comparing values.
            #[expect(clippy::cast_lossless, reason = "the cast of an i64 is not")]
            pub(crate) fn to_f64(&self) -> Vec<f64> {
                match self.datatype {
                    $(DataType::$variant => <$element>::decode(&self.bytes)
                        .map(|element| element as f64)
                        .collect(),)*
                }
            }
        }

        $(impl Element for $element {
            const DATATYPE: DataType = DataType::$variant;

            fn encode(elements: &[Self]) -> Vec<u8> {
                elements.iter().flat_map(|element| element.to_le_bytes()).collect()
            }

            fn decode(bytes: &[u8]) -> impl Iterator<Item = Self> {
                bytes.as_chunks().0.iter().map(|&chunk| Self::from_le_bytes(chunk))
            }
        })*
    };
}

data_types! {
    Uint8: u8, "UINT8", U8;
    Int32: i32, "INT32", I32;
    Int64: i64, "INT64", I64;
    Float32: f32, "FP32", F32;
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Tensor {
    /// A tensor of `elements`.
    pub fn new<T: Element>(
        shape: impl Into<Vec<usize>>,
        elements: impl AsRef<[T]>,
    ) -> Result<Self, TensorError> {
        Self::from_bytes(T::DATATYPE, shape, T::encode(elements.as_ref()))
    }

    /// A tensor of little-endian `bytes`.
    pub fn from_bytes(
        datatype: DataType,
        shape: impl Into<Vec<usize>>,
        bytes: Vec<u8>,
    ) -> Result<Self, TensorError> {
        let (shape, actual) = (shape.into(), bytes.len());
        let expected = shape
            .iter()
            .try_fold(datatype.size(), |bytes, &dim| bytes.checked_mul(dim));
        match expected {
            Some(expected) if expected == actual => Ok(Self {
                datatype,
                shape,
                bytes,
            }),
            Some(expected) => Err(TensorError(format!(
                "shape {shape:?} of {datatype} needs {expected} bytes, got {actual}"
            ))),
            None => Err(TensorError(format!("shape {shape:?} is too large"))),
        }
    }

    /// Element type.
    pub const fn datatype(&self) -> DataType {
        self.datatype
    }

    /// Sizes of the dimensions, outermost first; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements, little-endian.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The elements, if they are of type `T`.
    pub fn to_vec<T: Element>(&self) -> Option<Vec<T>> {
        (self.datatype == T::DATATYPE).then(|| T::decode(&self.bytes).collect())
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Elements would drown every log line and test failure.
        write!(f, "{} {:?}", self.datatype, self.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_back() {
        let floats = Tensor::new([2, 2], [1.0, -0.5, f32::MAX, 0.0]).unwrap();
        assert_eq!(floats.to_vec::<f32>().unwrap(), [1.0, -0.5, f32::MAX, 0.0]);
        assert_eq!(floats.bytes()[..4], 1.0_f32.to_le_bytes());
        assert_eq!(floats.to_vec::<u8>(), None);
        let longs = Tensor::new([3], [i64::MIN, 0, 7]).unwrap();
        assert_eq!(longs.to_vec::<i64>().unwrap(), [i64::MIN, 0, 7]);
        let ints = Tensor::new([2, 1], [-1, 9_i32]).unwrap();
        assert_eq!(ints.to_vec::<i32>().unwrap(), [-1, 9]);
        assert_eq!(ints.to_vec::<f32>(), None);
        let scalar = Tensor::new([], [4_u8]).unwrap();
        assert_eq!(scalar.to_vec::<u8>().unwrap(), [4]);
        assert!(scalar.shape().is_empty());
    }

    #[test]
    fn bytes_must_fill_the_shape() {
        let error = Tensor::new([2, 3], [0_f32; 5]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "shape [2, 3] of FP32 needs 24 bytes, got 20"
        );
        let error = Tensor::new([usize::MAX, 2], [0_u8; 0]).unwrap_err();
        assert!(error.to_string().ends_with("is too large"), "{error}");
    }

    #[test]
    fn names_and_sizes() {
        for (datatype, name, size) in [
            (DataType::Uint8, "UINT8", 1),
            (DataType::Int32, "INT32", 4),
            (DataType::Int64, "INT64", 8),
            (DataType::Float32, "FP32", 4),
        ] {
            assert_eq!((datatype.as_str(), datatype.size()), (name, size));
        }
    }
}
