//! The elements of a tensor, as the protocol carries them.

use bytes::Bytes;
use quintet_bundle::DataType;

/// A tensor's elements, row by row.
#[derive(Debug, Clone, PartialEq)]
pub enum Elements {
    /// Little-endian bytes.
    Raw(Bytes),
    /// Of an INT32 tensor.
    Int32(Vec<i32>),
    /// Of an INT64 tensor.
    Int64(Vec<i64>),
    /// Of a UINT8 tensor; the wire has no smaller number.
    Uint32(Vec<u32>),
    /// Of an FP32 tensor.
    Float32(Vec<f32>),
    /// In a list, of this name, that no type of ours belongs in.
    Foreign(&'static str),
    /// There are none.
    Missing,
}

// === impl Elements ===

impl Elements {
    /// Little-endian bytes of this type.
    ///
    /// # Errors
    /// What is wrong with the elements.
    pub(super) fn into_bytes(self, datatype: DataType) -> Result<Bytes, String> {
        let list = match (self, datatype) {
            (Self::Raw(bytes), _) => return Ok(bytes),
            (Self::Uint32(values), DataType::Uint8) => {
                let narrow = |(place, value): (usize, &u32)| {
                    u8::try_from(*value)
                        .map_err(|_| format!("element {place} is {value}; UINT8 holds 0 to 255"))
                };
                let bytes: Result<Vec<u8>, _> = values.iter().enumerate().map(narrow).collect();
                return bytes.map(Bytes::from);
            }
            (Self::Int32(values), DataType::Int32) => return Ok(copy(&values)),
            (Self::Int64(values), DataType::Int64) => return Ok(copy(&values)),
            (Self::Float32(values), DataType::Float32) => return Ok(copy(&values)),
            (Self::Missing, _) => {
                let list = list_of(datatype);
                return Err(format!(
                    "is empty, and so is raw_input_contents; {datatype} belongs in {list}"
                ));
            }
            (Self::Int32(_), _) => list_of(DataType::Int32),
            (Self::Int64(_), _) => list_of(DataType::Int64),
            (Self::Uint32(_), _) => list_of(DataType::Uint8),
            (Self::Float32(_), _) => list_of(DataType::Float32),
            (Self::Foreign(list), _) => list,
        };
        let ours = list_of(datatype);
        Err(format!("has {list}; {datatype} belongs in {ours}"))
    }
}

/// The protocol's list for elements of this type.
const fn list_of(datatype: DataType) -> &'static str {
    match datatype {
        DataType::Uint8 => "uint_contents",
        DataType::Int32 => "int_contents",
        DataType::Int64 => "int64_contents",
        DataType::Float32 => "fp32_contents",
    }
}

/// The values as they lie in memory, which is little-endian wherever this server builds.
fn copy<T: bytemuck::NoUninit>(values: &[T]) -> Bytes {
    Bytes::copy_from_slice(bytemuck::cast_slice(values))
}

/// The first float32 that is not a finite number, and its place.
pub(super) fn non_finite(bytes: &[u8]) -> Option<(usize, f32)> {
    let (elements, _) = bytes.as_chunks();
    let values = elements.iter().map(|bytes| f32::from_le_bytes(*bytes));
    values.enumerate().find(|(_, value)| !value.is_finite())
}
