//! One instance of a model: an ONNX Runtime session and the buffers it reads from.

use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, TensorElementType, ValueType};
use quintet_bundle::DataType;
use smallvec::SmallVec;

use super::RuntimeError;
use super::row::Row;
use super::signature::{Port, Signature, SignatureError};
use super::staging::{Staging, take};
use crate::batching::{Backend, BackendError};

/// A session and the buffers that it reads from. They belong to the thread that runs, never to a
/// caller.
#[derive(Debug)]
pub struct SessionBackend {
    session: Session,
    signature: Signature,
    staging: Vec<Staging>,
}

// === impl SessionBackend ===

impl SessionBackend {
    pub(super) fn new(session: Session, signature: Signature) -> Result<Self, RuntimeError> {
        check(&signature.inputs, session.inputs())?;
        check(&signature.outputs, session.outputs())?;
        let staging = signature.inputs.iter().map(Staging::for_port).collect();
        Ok(Self {
            session,
            signature,
            staging,
        })
    }

    /// The rows it takes and gives.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Refuses rows that would read or fill another shape than the signature's.
    fn check_rows(&self, rows: &[Row]) -> Result<(), BackendError> {
        let fits = |row: &Row| {
            row.len() == self.signature.inputs.len()
                && row.iter().zip(&self.signature.inputs).all(|(bytes, port)| {
                    let steps = if port.is_sequence { row.steps() } else { 1 };
                    bytes.len() == steps * port.row_bytes()
                })
        };
        match rows.iter().position(|row| !fits(row)) {
            None => Ok(()),
            Some(index) => Err(BackendError(format!(
                "row {index} does not fit the signature"
            ))),
        }
    }
}

impl Backend for SessionBackend {
    type Row = Row;
    type Output = Row;

    fn run(&mut self, rows: &[Row], outputs: &mut Vec<Row>) -> Result<(), BackendError> {
        self.check_rows(rows)?;
        let Self {
            session,
            signature,
            staging,
        } = self;
        let steps = rows.iter().map(Row::steps).max().unwrap_or(1);
        for (index, (buffer, port)) in staging.iter_mut().zip(&signature.inputs).enumerate() {
            let longest = if port.is_sequence { steps } else { 1 };
            let stride = longest * port.row_len();
            buffer.fill(rows.iter().map(|row| &row[index]), stride, port);
        }
        let inputs: SmallVec<[SessionInputValue<'_>; 2]> = staging
            .iter()
            .zip(&signature.inputs)
            .map(|(buffer, port)| buffer.view(port.batch_shape(rows.len(), steps)))
            .collect::<ort::Result<_>>()
            .map_err(|error| BackendError(error.to_string()))?;
        let results = session
            .run(inputs.as_slice())
            .map_err(|error| BackendError(error.to_string()))?;

        let first = outputs.len();
        outputs.resize_with(first + rows.len(), Row::new);
        for (index, port) in signature.outputs.iter().enumerate() {
            let (shape, bytes) = take(&results[index], port.datatype)
                .map_err(|error| BackendError(error.to_string()))?;
            if shape != port.batch_shape(rows.len(), steps) {
                return Err(BackendError(format!(
                    "output {port} came with shape {shape:?}"
                )));
            }
            let size = port.row_bytes();
            for (row, output) in outputs[first..].iter_mut().enumerate() {
                output.push(bytes.slice(row * size..(row + 1) * size));
            }
        }
        Ok(())
    }
}

/// Whether the graph's own inputs or outputs are what the manifest says, in the same order.
fn check(ports: &[Port], outlets: &[Outlet]) -> Result<(), SignatureError> {
    let agrees = |(port, outlet): (&Port, &Outlet)| {
        let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
            return false;
        };
        port.name == outlet.name()
            && ty == &element_type(port.datatype)
            && shape.first() == Some(&-1)
            && port.open_row_shape().eq(shape[1..].iter().copied())
    };
    if ports.len() == outlets.len() && ports.iter().zip(outlets).all(agrees) {
        return Ok(());
    }
    let manifest = ports
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let graph = outlets
        .iter()
        .map(|outlet| format!("{}: {}", outlet.name(), outlet.dtype()))
        .collect::<Vec<_>>()
        .join(", ");
    Err(SignatureError::Mismatch { manifest, graph })
}

fn element_type(datatype: DataType) -> TensorElementType {
    match datatype {
        DataType::Uint8 => TensorElementType::Uint8,
        DataType::Int32 => TensorElementType::Int32,
        DataType::Int64 => TensorElementType::Int64,
        DataType::Float32 => TensorElementType::Float32,
    }
}
