//! Inference on plain tensors, for any model: what the Open Inference Protocol asks for, once the wire is off it.

use bytes::Bytes;
use tokio::time::Instant;

use crate::batching::{Failure, Timing};
use crate::error::ServeError;
use crate::model::Model;
use crate::service::{Service, within};
use crate::task::tensors::{self, Tensor};

/// What a caller wants computed.
#[derive(Debug, Clone)]
pub struct Infer {
    /// One per input of the model.
    pub inputs: Vec<Tensor>,
    /// Names of the outputs to give, in this order; none: all.
    pub outputs: Vec<String>,
}

/// The outputs asked for.
#[derive(Debug)]
pub struct Inferred {
    /// Rows in each output: as many as in each input.
    pub rows: usize,
    /// For each output, its place in the model's signature and its elements as little-endian bytes.
    pub outputs: Vec<(usize, Bytes)>,
    /// Inside the batching core.
    pub timing: Timing,
}

impl Service {
    /// Runs `model` on tensors, within the deadline.
    pub async fn infer(
        &self,
        model: &Model,
        request: Infer,
        deadline: Option<Instant>,
    ) -> Result<Inferred, ServeError> {
        let started = Instant::now();
        let work = async {
            let refuse = |violations| ServeError::InvalidArgument { violations };
            let Infer { inputs, outputs } = request;
            let names = outputs.iter().map(String::as_str);
            let wanted = tensors::wanted(&model.signature, names).map_err(refuse)?;
            // A request of more rows could never be queued.
            let max_rows = model.engine.settings().max_queue_size;
            let rows = tensors::prepare(&model.signature, inputs, max_rows).map_err(refuse)?;
            let prepared = started.elapsed();
            model.metrics.preprocessed(prepared);

            let answer = self.run(model, rows, deadline).await?;
            let ran = Instant::now();
            let outputs = wanted
                .iter()
                .map(|port| {
                    tensors::finish(&model.signature, *port, &answer.outputs)
                        .map(|bytes| (*port, bytes))
                })
                .collect::<Option<_>>()
                .ok_or_else(|| {
                    let failure = Failure::Backend("an output is not a finite number".to_owned());
                    ServeError::from_failure(&model.name, failure)
                })?;
            let timing = answer.timing;
            model
                .statistics
                .succeeded(started.elapsed(), prepared, timing, ran.elapsed());
            Ok(Inferred {
                rows: answer.outputs.len(),
                outputs,
                timing,
            })
        };
        let outcome = within(deadline, work).await;
        if outcome.is_err() {
            model.statistics.failed(started.elapsed());
        }
        outcome
    }
}
