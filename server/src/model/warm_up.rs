//! What an instance does before it is ready: it is proved on the golden samples, and its runs are
//! measured.

use std::collections::BTreeMap;

use bytes::Bytes;
use quintet_bundle::{Bundle, Tensor};
use smallvec::SmallVec;

use super::LoadError;
use crate::batching::{Backend, BackendError, Clock, Cost};
use crate::runtime::{BadLength, Port, Row, SessionBackend, Signature};

/// The golden samples as rows.
pub(super) struct WarmUp<'m> {
    bundle: &'m Bundle,
    signature: &'m Signature,
    samples: SmallVec<[Row; 1]>,
    max_batch_size: usize,
}

impl<'m> WarmUp<'m> {
    pub(super) fn new(
        bundle: &'m Bundle,
        signature: &'m Signature,
        max_batch_size: usize,
    ) -> Result<Self, LoadError> {
        let samples = rows_of(&bundle.golden().inputs, signature).map_err(|error| {
            LoadError::Warmup(BackendError(format!("of the golden samples, {error}")))
        })?;
        Ok(Self {
            bundle,
            signature,
            samples,
            max_batch_size,
        })
    }

    /// Runs the golden samples at every batch size that first calls should find warm: one row, and
    /// doublings up to a full batch. All must agree, so that an answer does not depend on the other
    /// rows of its batch.
    pub(super) fn prove(&self, backend: &mut SessionBackend) -> Result<(), LoadError> {
        let golden = self.bundle.golden();
        let tolerance = self.bundle.manifest().golden.tolerance;
        let doublings = std::iter::successors(Some(1), |size| Some(size * 2));
        for batch_size in doublings
            .take_while(|size| *size < self.max_batch_size)
            .chain([self.max_batch_size])
        {
            let mut outputs = Vec::new();
            // The samples again and again fill the batch; the first of each are compared.
            for start in (0..self.samples.len()).step_by(batch_size) {
                let samples = self.samples.iter().cycle().skip(start);
                let rows: Vec<Row> = samples.take(batch_size).cloned().collect();
                backend
                    .run(&rows, &mut outputs)
                    .map_err(LoadError::Warmup)?;
            }
            outputs.truncate(self.samples.len());
            let outputs = tensors_of(&outputs, &self.signature.outputs);
            golden
                .compare(&outputs, tolerance)
                .map_err(|mismatch| LoadError::Golden {
                    batch_size,
                    mismatch,
                })?;
        }
        Ok(())
    }

    /// Measures what runs cost, where rows have lengths of their own.
    pub(super) fn measure(&self, backend: &mut SessionBackend) -> Result<Cost, LoadError> {
        let (Some(sequence), Some(sample)) = (self.signature.sequence, self.samples.first()) else {
            return Ok(Cost::default());
        };
        let (clock, mut outputs) = (Clock::system(), Vec::new());
        let cost = Cost::measure(self.max_batch_size, sequence.longest, |rows, width| {
            let batch = vec![self.signature.repeat(sample, width); rows];
            outputs.clear();
            let started = clock.now();
            backend
                .run(&batch, &mut outputs)
                .map_err(LoadError::Warmup)?;
            Ok::<_, LoadError>(clock.now() - started)
        })?;
        let model = &self.bundle.manifest().name;
        tracing::debug!(model, ?cost, "measured what its runs cost");
        Ok(cost)
    }
}

/// Cuts whole tensors, by name, into rows. The bundle has checked names, types and shapes.
fn rows_of(
    tensors: &BTreeMap<String, Tensor>,
    signature: &Signature,
) -> Result<SmallVec<[Row; 1]>, BadLength> {
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
