//! One instance of a model: an ONNX Runtime session and the buffers it reads from.

use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, ValueType};
use smallvec::SmallVec;

use super::RuntimeError;
use super::row::Row;
use super::signature::{Port, Signature, SignatureError};
use super::staging::{Staging, staging};
use crate::batching::{Backend, BackendError};

/// A session and the buffers that it reads from. They belong to the thread that runs, never to a
/// caller.
#[derive(Debug)]
pub struct SessionBackend {
    session: Session,
    signature: Signature,
    inputs: Vec<Box<dyn Staging>>,
    outputs: Vec<Box<dyn Staging>>,
}

impl SessionBackend {
    pub(super) fn new(session: Session, signature: Signature) -> Result<Self, RuntimeError> {
        let inputs: Vec<_> = signature.inputs.iter().map(staging).collect();
        let outputs: Vec<_> = signature.outputs.iter().map(staging).collect();
        let is_single = signature.is_single;
        check((&signature.inputs, is_single), &inputs, session.inputs())?;
        check((&signature.outputs, is_single), &outputs, session.outputs())?;
        Ok(Self {
            session,
            signature,
            inputs,
            outputs,
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
        let Some(index) = rows.iter().position(|row| !fits(row)) else {
            return Ok(());
        };
        let problem = format!("row {index} does not fit the signature");
        Err(BackendError(problem))
    }
}

impl Backend for SessionBackend {
    type Row = Row;
    type Output = Row;

    fn run(&mut self, rows: &[Row], outputs: &mut Vec<Row>) -> Result<(), BackendError> {
        self.check_rows(rows)?;
        let failed = |error: ort::Error| BackendError(error.to_string());
        let ports = &self.signature.inputs;
        let steps = rows.iter().map(Row::steps).max().unwrap_or(1);
        for (index, (buffer, port)) in self.inputs.iter_mut().zip(ports).enumerate() {
            let longest = if port.is_sequence { steps } else { 1 };
            buffer.fill(rows, index, longest * port.row_len());
        }
        let inputs: SmallVec<[SessionInputValue<'_>; 2]> = self
            .inputs
            .iter()
            .zip(ports)
            .map(|(buffer, port)| buffer.view(port.batch_shape(rows.len(), steps)))
            .collect::<ort::Result<_>>()
            .map_err(failed)?;
        let results = self.session.run(inputs.as_slice()).map_err(failed)?;

        let first = outputs.len();
        outputs.resize_with(first + rows.len(), Row::default);
        let ports = &self.signature.outputs;
        for (index, (buffer, port)) in self.outputs.iter().zip(ports).enumerate() {
            let (shape, bytes) = buffer.take(&results[index]).map_err(failed)?;
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
fn check(
    (ports, is_single): (&[Port], bool),
    buffers: &[Box<dyn Staging>],
    outlets: &[Outlet],
) -> Result<(), SignatureError> {
    let agrees = |index: usize| {
        let (port, outlet) = (&ports[index], &outlets[index]);
        let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
            return false;
        };
        port.name == outlet.name()
            && *ty == buffers[index].element_type()
            && (shape.first() == Some(&-1) || is_single && shape.first() == Some(&1))
            && port.open_row_shape().eq(shape[1..].iter().copied())
    };
    if ports.len() == outlets.len() && (0..ports.len()).all(agrees) {
        return Ok(());
    }
    let manifest: Vec<_> = ports.iter().map(ToString::to_string).collect();
    let graph = outlets.iter();
    let graph = graph.map(|outlet| format!("{}: {}", outlet.name(), outlet.dtype()));
    Err(SignatureError::Mismatch {
        manifest: manifest.join(", "),
        graph: graph.collect::<Vec<_>>().join(", "),
    })
}
