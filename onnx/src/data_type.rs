//! Element types.

use std::fmt;

use crate::proto::tensor_proto::DataType as Code;

/// The element types that this crate writes, a subset of ONNX's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataType {
    /// Unsigned 8-bit integer, used for pixels and quantised features.
    Uint8,
    /// Signed 8-bit integer, used for weights.
    Int8,
    /// Signed 32-bit integer, used for sequence lengths and sums of integers.
    Int32,
    /// Signed 64-bit integer, used for tokens, shapes and axes.
    Int64,
    /// True or false, used for masks.
    Bool,
    /// 16-bit IEEE 754 float, used to store weights.
    Float16,
    /// 32-bit IEEE 754 float, used to compute.
    Float32,
}

/// Every element type, for operators that take them all.
pub(crate) const ANY: &[DataType] = &[
    DataType::Uint8,
    DataType::Int8,
    DataType::Int32,
    DataType::Int64,
    DataType::Bool,
    DataType::Float16,
    DataType::Float32,
];

impl DataType {
    /// Bytes of one element.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::Uint8 | Self::Int8 | Self::Bool => 1,
            Self::Float16 => 2,
            Self::Int32 | Self::Float32 => 4,
            Self::Int64 => 8,
        }
    }

    /// The name in ONNX's specification, such as `float32`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uint8 => "uint8",
            Self::Int8 => "int8",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Bool => "bool",
            Self::Float16 => "float16",
            Self::Float32 => "float32",
        }
    }

    /// The number that stands for the type in a file (`TensorProto.DataType`).
    pub(crate) const fn code(self) -> i32 {
        match self {
            Self::Uint8 => Code::Uint8 as i32,
            Self::Int8 => Code::Int8 as i32,
            Self::Int32 => Code::Int32 as i32,
            Self::Int64 => Code::Int64 as i32,
            Self::Bool => Code::Bool as i32,
            Self::Float16 => Code::Float16 as i32,
            Self::Float32 => Code::Float as i32,
        }
    }

    /// The type that a number in a file stands for.
    pub(crate) fn from_code(code: i32) -> Option<Self> {
        ANY.iter()
            .copied()
            .find(|data_type| data_type.code() == code)
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
