//! What an instance does before it is ready: it is proved on the golden samples, and its runs are
//! measured.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use quintet_bundle::{Bundle, Tensor};

use super::LoadError;
use crate::batching::{Backend, BackendError, Clock, Cost};
use crate::runtime::{BadLength, Port, Row, Rows, SessionBackend, Signature};

/// The golden samples as rows.
pub(super) fn samples(bundle: &Bundle, signature: &Signature) -> Result<Rows, LoadError> {
    rows_of(&bundle.golden().inputs, signature)
        .map_err(|error| LoadError::Warmup(BackendError(format!("of the golden samples, {error}"))))
}

/// Runs the golden samples at every batch size that first calls should find warm: one row, and
/// doublings up to a full batch. All must agree, so that an answer does not depend on the other
/// rows of its batch.
pub(super) fn prove(
    backend: &mut SessionBackend,
    bundle: &Bundle,
    samples: &[Row],
    max_batch_size: usize,
) -> Result<(), LoadError> {
    let golden = bundle.golden();
    let tolerance = bundle.manifest().golden.tolerance;
    let doublings = std::iter::successors(Some(1), |size| Some(size * 2));
    for batch_size in doublings
        .take_while(|size| *size < max_batch_size)
        .chain([max_batch_size])
    {
        let mut outputs = Vec::new();
        // The samples again and again fill the batch; the first of each are compared.
        for start in (0..samples.len()).step_by(batch_size) {
            let rows = samples.iter().cycle().skip(start).take(batch_size);
            let rows: Vec<Row> = rows.cloned().collect();
            backend
                .run(&rows, &mut outputs)
                .map_err(LoadError::Warmup)?;
        }
        outputs.truncate(samples.len());
        let outputs = tensors_of(&outputs, &backend.signature().outputs);
        golden
            .compare(&outputs, tolerance)
            .map_err(|mismatch| LoadError::Golden {
                batch_size,
                mismatch,
            })?;
    }
    Ok(())
}

/// Measures the cost of runs, where rows have lengths of their own.
pub(super) fn measure(
    backend: &mut SessionBackend,
    samples: &[Row],
    max_batch_size: usize,
) -> Result<Cost, LoadError> {
    let signature = backend.signature().clone();
    let (Some(sequence), Some(sample)) = (signature.sequence, samples.first()) else {
        return Ok(Cost::default());
    };
    Cost::measure(max_batch_size, sequence.longest, |rows, width| {
        time(backend, &vec![signature.repeat(sample, width); rows])
    })
}

/// How long a run takes.
pub(super) fn time(backend: &mut SessionBackend, rows: &[Row]) -> Result<Duration, LoadError> {
    let (clock, mut outputs) = (Clock::system(), Vec::new());
    let started = clock.now();
    backend.run(rows, &mut outputs).map_err(LoadError::Warmup)?;
    Ok(clock.now() - started)
}

/// Cuts whole tensors, by name, into rows. The bundle has checked names, types and shapes.
fn rows_of(tensors: &BTreeMap<String, Tensor>, signature: &Signature) -> Result<Rows, BadLength> {
    let inputs = signature.inputs.iter();
    let tensors: Vec<&Tensor> = inputs.filter_map(|port| tensors.get(&port.name)).collect();
    let columns: Vec<Bytes> = tensors
        .iter()
        .map(|tensor| Bytes::copy_from_slice(tensor.bytes()))
        .collect();
    let size = |dimension: usize| move |tensor: &&Tensor| tensor.shape().get(dimension).copied();
    let rows = tensors.iter().filter_map(size(0)).min().unwrap_or(0);
    let sequence = signature.inputs.iter().position(|port| port.is_sequence);
    let longest = sequence
        .and_then(|input| tensors.get(input))
        .and_then(size(1));
    signature.cut(&columns, rows, longest.unwrap_or(1))
}

/// Joins rows to whole tensors, by name.
fn tensors_of(rows: &[Row], ports: &[Port]) -> BTreeMap<String, Tensor> {
    ports
        .iter()
        .enumerate()
        .filter_map(|(index, port)| {
            let shape: Vec<usize> = std::iter::once(rows.len())
                .chain(port.row_shape.iter().copied())
                .collect();
            let bytes = rows
                .iter()
                .flat_map(|row| row[index].iter().copied())
                .collect();
            // A length that does not fit leaves the tensor out, which the comparison then reports
            // as missing.
            Tensor::from_bytes(port.datatype, shape, bytes)
                .ok()
                .map(|tensor| (port.name.clone(), tensor))
        })
        .collect()
}
