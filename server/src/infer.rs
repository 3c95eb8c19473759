//! Inference on plain tensors, for any model: what the Open Inference Protocol asks for, once the wire is off it.

use std::pin::pin;

use bytes::Bytes;
use tokio::time::Instant;

use crate::error::ServeError;
use crate::flow::Served;
use crate::model::Model;
use crate::service::Service;
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
}

impl Service {
    /// Runs `model` on tensors, within the deadline.
    pub async fn infer(
        &self,
        model: &Model,
        request: Infer,
        deadline: Option<Instant>,
    ) -> Result<Served<Inferred>, ServeError> {
        let refuse = ServeError::violations;
        let max_rows = model.engine.settings().max_queue_size;
        // As the caller says; nobody has looked at it yet, and what is not so is refused then.
        let rows = request
            .inputs
            .first()
            .and_then(|tensor| tensor.shape.first());
        let rows = rows.and_then(|rows| usize::try_from(*rows).ok());
        let rows = rows.filter(|rows| *rows <= max_rows).unwrap_or(1);
        let prepare = pin!(async {
            let Infer { inputs, outputs } = request;
            let names = outputs.iter().map(String::as_str);
            let wanted = tensors::wanted(&model.signature, names).map_err(refuse)?;
            // A request of more rows could never be queued.
            let rows = tensors::prepare(&model.signature, inputs, max_rows).map_err(refuse)?;
            Ok((rows, wanted))
        });
        model
            .serve(deadline, rows, prepare, |rows, wanted| {
                let outputs = wanted.into_iter().map(|port| {
                    let bytes = tensors::finish(&model.signature, port, &rows);
                    bytes.map(|bytes| (port, bytes))
                });
                Some(Inferred {
                    outputs: outputs.collect::<Option<_>>()?,
                    rows: rows.len(),
                })
            })
            .await
    }
}
