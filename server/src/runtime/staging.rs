//! The tensors of one input or output, by their element type. This is the one place that maps a
//! manifest's types to Rust's.

use std::fmt::Debug;

use bytemuck::{Pod, cast_slice, cast_slice_mut};
use bytes::Bytes;
use ort::session::SessionInputValue;
use ort::value::{DynValue, PrimitiveTensorElementType, TensorElementType, TensorRef};
use quintet_bundle::DataType;

use super::row::Row;
use super::signature::Port;

#[cfg(target_endian = "big")]
compile_error!("rows are little-endian and are handed to ONNX Runtime as they are");

/// Where the rows of one input are laid side by side before a run, and outputs are taken from.
pub(super) trait Staging: Debug + Send {
    /// The graph's name of the type.
    fn element_type(&self) -> TensorElementType;

    /// Replaces what it holds by input `input` of these rows, copied once, each padded to `stride`
    /// elements.
    fn fill(&mut self, rows: &[Row], input: usize, stride: usize);

    /// The rows as a tensor of this shape, not copied.
    fn view(&self, shape: Vec<i64>) -> ort::Result<SessionInputValue<'_>>;

    /// An output's shape, and its bytes copied out of the runtime's memory.
    fn take(&self, value: &DynValue) -> ort::Result<(Vec<i64>, Bytes)>;
}

/// A buffer that is used again for each run, aligned for its type.
#[derive(Debug)]
struct Buffer<T> {
    elements: Vec<T>,
    padding: T,
}

/// An empty buffer of the port's type.
pub(super) fn staging(port: &Port) -> Box<dyn Staging> {
    fn padded_with<T>(padding: T) -> Box<dyn Staging>
    where
        Buffer<T>: Staging + 'static,
    {
        Box::new(Buffer {
            elements: Vec::new(),
            padding,
        })
    }
    match port.datatype {
        DataType::Uint8 => padded_with(port.padding as u8),
        DataType::Int32 => padded_with(port.padding as i32),
        DataType::Int64 => padded_with(port.padding),
        DataType::Float32 => padded_with(port.padding as f32),
    }
}

impl<T: PrimitiveTensorElementType + Pod + Debug + Send> Staging for Buffer<T> {
    fn element_type(&self) -> TensorElementType {
        T::into_tensor_element_type()
    }

    fn fill(&mut self, rows: &[Row], input: usize, stride: usize) {
        self.elements.clear();
        for row in rows {
            let start = self.elements.len();
            self.elements.resize(start + stride, self.padding);
            let cell = &row[input];
            cast_slice_mut(&mut self.elements[start..])[..cell.len()].copy_from_slice(cell);
        }
    }

    fn view(&self, shape: Vec<i64>) -> ort::Result<SessionInputValue<'_>> {
        Ok(TensorRef::from_array_view((shape, &self.elements[..]))?.into())
    }

    fn take(&self, value: &DynValue) -> ort::Result<(Vec<i64>, Bytes)> {
        let (shape, elements) = value.try_extract_tensor::<T>()?;
        Ok((shape.to_vec(), Bytes::copy_from_slice(cast_slice(elements))))
    }
}
