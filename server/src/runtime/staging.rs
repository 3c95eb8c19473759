//! Where rows are laid side by side before a run: one reused buffer per input, aligned for its type. Sequences are padded
//! here, to the longest of the batch.

use bytemuck::{AnyBitPattern, NoUninit, cast_slice, cast_slice_mut};
use bytes::Bytes;
use ort::session::SessionInputValue;
use ort::value::{DynValue, PrimitiveTensorElementType, TensorRef};
use quintet_bundle::DataType;

use super::signature::Port;

#[cfg(target_endian = "big")]
compile_error!("rows are little-endian and are handed to ONNX Runtime as they are");

/// The rows of one input.
#[derive(Debug)]
pub(super) enum Staging {
    Uint8(Vec<u8>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
}

impl Staging {
    /// An empty buffer of the port's type.
    pub(super) fn for_port(port: &Port) -> Self {
        match port.datatype {
            DataType::Uint8 => Self::Uint8(Vec::new()),
            DataType::Int32 => Self::Int32(Vec::new()),
            DataType::Int64 => Self::Int64(Vec::new()),
            DataType::Float32 => Self::Float32(Vec::new()),
        }
    }

    /// Replaces what it holds by these rows, copied once, each filled up to `stride` elements with
    /// the port's padding.
    pub(super) fn fill<'r>(
        &mut self,
        rows: impl Iterator<Item = &'r Bytes>,
        stride: usize,
        port: &Port,
    ) {
        match self {
            Self::Uint8(buffer) => fill(buffer, rows, stride, port.padding as u8),
            Self::Int32(buffer) => fill(buffer, rows, stride, port.padding as i32),
            Self::Int64(buffer) => fill(buffer, rows, stride, port.padding),
            Self::Float32(buffer) => fill(buffer, rows, stride, port.padding as f32),
        }
    }

    /// The rows as a tensor of this shape, not copied.
    pub(super) fn view(&self, shape: Vec<i64>) -> ort::Result<SessionInputValue<'_>> {
        fn view<T: PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static>(
            buffer: &[T],
            shape: Vec<i64>,
        ) -> ort::Result<SessionInputValue<'_>> {
            Ok(TensorRef::from_array_view((shape, buffer))?.into())
        }
        match self {
            Self::Uint8(buffer) => view(buffer, shape),
            Self::Int32(buffer) => view(buffer, shape),
            Self::Int64(buffer) => view(buffer, shape),
            Self::Float32(buffer) => view(buffer, shape),
        }
    }
}

/// The bytes of an output, copied out of the runtime's memory, and its shape.
pub(super) fn take(value: &DynValue, datatype: DataType) -> ort::Result<(Vec<i64>, Bytes)> {
    fn copy<T: PrimitiveTensorElementType + NoUninit>(
        value: &DynValue,
    ) -> ort::Result<(Vec<i64>, Bytes)> {
        let (shape, elements) = value.try_extract_tensor::<T>()?;
        Ok((shape.to_vec(), Bytes::copy_from_slice(cast_slice(elements))))
    }
    match datatype {
        DataType::Uint8 => copy::<u8>(value),
        DataType::Int32 => copy::<i32>(value),
        DataType::Int64 => copy::<i64>(value),
        DataType::Float32 => copy::<f32>(value),
    }
}

fn fill<'r, T: AnyBitPattern + NoUninit>(
    buffer: &mut Vec<T>,
    rows: impl Iterator<Item = &'r Bytes>,
    stride: usize,
    padding: T,
) {
    buffer.clear();
    for row in rows {
        let start = buffer.len();
        buffer.resize(start + stride, padding);
        cast_slice_mut(&mut buffer[start..])[..row.len()].copy_from_slice(row);
    }
}
