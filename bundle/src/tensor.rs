//! Tensors as the bundle and the wire hold them: a type, a shape and little-endian bytes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Element types that model signatures use, under the Open Inference Protocol's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DataType {
    /// `u8`
    Uint8,
    /// `i32`
    Int32,
    /// `i64`
    Int64,
    /// `f32`
    #[serde(rename = "FP32")]
    Float32,
}

/// A dense tensor, row-major.
#[derive(Clone, PartialEq, Eq)]
pub struct Tensor {
    datatype: DataType,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// A tensor whose bytes do not fill its shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorError {
    /// The number of bytes is not elements times element size.
    #[error("shape {shape:?} of {datatype} needs {expected} bytes, got {actual}")]
    Length {
        /// The shape asked for.
        shape: Vec<usize>,
        /// The element type.
        datatype: DataType,
        /// Bytes that shape and type need.
        expected: usize,
        /// Bytes given.
        actual: usize,
    },
    /// The shape holds more bytes than a `usize` can count.
    #[error("shape {shape:?} is too large")]
    Overflow {
        /// The shape asked for.
        shape: Vec<usize>,
    },
}

// === impl DataType ===

impl DataType {
    /// The Open Inference Protocol's name: `UINT8`, `INT32`, `INT64` or `FP32`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uint8 => "UINT8",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Float32 => "FP32",
        }
    }

    /// Bytes per element.
    pub const fn size(self) -> usize {
        match self {
            Self::Uint8 => 1,
            Self::Int32 | Self::Float32 => 4,
            Self::Int64 => 8,
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Tensor ===

impl Tensor {
    /// A tensor of little-endian `bytes`.
    pub fn from_bytes(
        datatype: DataType,
        shape: impl Into<Vec<usize>>,
        bytes: Vec<u8>,
    ) -> Result<Self, TensorError> {
        let shape = shape.into();
        let expected = shape
            .iter()
            .try_fold(datatype.size(), |bytes, &dim| bytes.checked_mul(dim));
        match expected {
            None => Err(TensorError::Overflow { shape }),
            Some(expected) if expected != bytes.len() => Err(TensorError::Length {
                shape,
                datatype,
                expected,
                actual: bytes.len(),
            }),
            Some(_) => Ok(Self {
                datatype,
                shape,
                bytes,
            }),
        }
    }

    /// A `UINT8` tensor.
    pub fn from_u8(shape: impl Into<Vec<usize>>, data: Vec<u8>) -> Result<Self, TensorError> {
        Self::from_bytes(DataType::Uint8, shape, data)
    }

    /// An `INT32` tensor.
    pub fn from_i32(
        shape: impl Into<Vec<usize>>,
        data: impl AsRef<[i32]>,
    ) -> Result<Self, TensorError> {
        let bytes = data
            .as_ref()
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        Self::from_bytes(DataType::Int32, shape, bytes)
    }

    /// An `INT64` tensor.
    pub fn from_i64(
        shape: impl Into<Vec<usize>>,
        data: impl AsRef<[i64]>,
    ) -> Result<Self, TensorError> {
        let bytes = data
            .as_ref()
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        Self::from_bytes(DataType::Int64, shape, bytes)
    }

    /// An `FP32` tensor.
    pub fn from_f32(
        shape: impl Into<Vec<usize>>,
        data: impl AsRef<[f32]>,
    ) -> Result<Self, TensorError> {
        let bytes = data
            .as_ref()
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        Self::from_bytes(DataType::Float32, shape, bytes)
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

    /// The elements, little-endian, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The elements of a `UINT8` tensor.
    pub fn as_u8(&self) -> Option<Vec<u8>> {
        (self.datatype == DataType::Uint8).then(|| self.bytes.clone())
    }

    /// The elements of an `INT32` tensor.
    pub fn as_i32(&self) -> Option<Vec<i32>> {
        (self.datatype == DataType::Int32).then(|| self.decode(i32::from_le_bytes).collect())
    }

    /// The elements of an `INT64` tensor.
    pub fn as_i64(&self) -> Option<Vec<i64>> {
        (self.datatype == DataType::Int64).then(|| self.decode(i64::from_le_bytes).collect())
    }

    /// The elements of an `FP32` tensor.
    pub fn as_f32(&self) -> Option<Vec<f32>> {
        (self.datatype == DataType::Float32).then(|| self.decode(f32::from_le_bytes).collect())
    }

    /// Every element as `f64`, whatever the type; only for comparing values.
    pub(crate) fn values(&self) -> Vec<f64> {
        match self.datatype {
            DataType::Uint8 => self.bytes.iter().map(|&value| f64::from(value)).collect(),
            DataType::Int32 => self.decode(i32::from_le_bytes).map(f64::from).collect(),
            DataType::Int64 => self
                .decode(i64::from_le_bytes)
                .map(|value| value as f64)
                .collect(),
            DataType::Float32 => self.decode(f32::from_le_bytes).map(f64::from).collect(),
        }
    }

    fn decode<const N: usize, T>(&self, from: fn([u8; N]) -> T) -> impl Iterator<Item = T> {
        self.bytes
            .as_chunks::<N>()
            .0
            .iter()
            .map(move |&chunk| from(chunk))
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Elements would drown every log line and test failure.
        write!(f, "Tensor({} {:?})", self.datatype, self.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_back() {
        let floats = Tensor::from_f32([2, 2], vec![1.0, -0.5, f32::MAX, 0.0]).unwrap();
        assert_eq!(floats.as_f32().unwrap(), [1.0, -0.5, f32::MAX, 0.0]);
        assert_eq!(floats.bytes()[..4], 1.0_f32.to_le_bytes());
        assert_eq!(floats.as_u8(), None);
        let longs = Tensor::from_i64([3], vec![i64::MIN, 0, 7]).unwrap();
        assert_eq!(longs.as_i64().unwrap(), [i64::MIN, 0, 7]);
        let ints = Tensor::from_i32([2, 1], vec![-1, 9]).unwrap();
        assert_eq!(ints.as_i32().unwrap(), [-1, 9]);
        assert_eq!(ints.as_f32(), None);
        let scalar = Tensor::from_u8([], vec![4]).unwrap();
        assert_eq!(
            (scalar.as_u8().unwrap(), scalar.shape()),
            (vec![4], &[][..])
        );
    }

    #[test]
    fn bytes_must_fill_the_shape() {
        let error = Tensor::from_f32([2, 3], vec![0.0; 5]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "shape [2, 3] of FP32 needs 24 bytes, got 20"
        );
        let error = Tensor::from_u8([usize::MAX, 2], vec![]).unwrap_err();
        assert!(matches!(error, TensorError::Overflow { .. }));
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
