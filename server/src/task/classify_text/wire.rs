//! ClassifyText of `quintet.v1.InferenceService`.

use std::pin::pin;

use quintet_proto::v1;

use super::finish::{Read, Wanted};
use crate::call::Call;
use crate::error::ServeError;
use crate::grpc::Rpc;
use crate::runtime::Rows;
use crate::task::text::{Input, Limits, NAME, Reader, Reading, read};
use crate::task::wire::timing;

pub(in crate::task) fn call(limits: Limits) -> Rpc {
    Rpc::unary(
        "/quintet.v1.InferenceService/ClassifyText",
        move |call, request| classify_text(limits, call, request),
    )
}

impl Input for v1::TextInput {
    fn text(&self) -> &str {
        &self.text
    }

    fn pair(&self) -> Option<&str> {
        // As `transformers` reads it.
        self.text_pair.as_deref().filter(|pair| !pair.is_empty())
    }
}

async fn classify_text(
    limits: Limits,
    call: Call,
    request: v1::ClassifyTextRequest,
) -> Result<v1::ClassifyTextResponse, ServeError> {
    let model = call.resolve(NAME, &request.model, &request.version)?;
    let count = request.texts.len();
    ServeError::check_count("texts", count, limits.max_texts_per_request)?;
    let _admitted = call.admit(count)?;
    let reader = model.state::<Reader>()?;
    let output = reader.output;
    if request.return_logits && !output.has_logits() {
        let problem = "is true; the model gives probabilities only";
        return Err(ServeError::invalid("return_logits", problem));
    }
    let wanted = Wanted {
        top_k: request.top_k as usize,
        logits: request.return_logits,
    };
    let (texts, refuse_truncated) = (request.texts, request.refuse_truncated);
    let check = move |reading: &Reading| {
        let (total, most) = (reading.total, reading.row.steps());
        if refuse_truncated && reading.truncated {
            return Err(format!("has {total} tokens; the model reads {most}"));
        }
        Ok(())
    };
    let rows = pin!(async {
        let readings = read(call.blocking(), limits, reader, texts, check).await?;
        let (mut rows, mut seen) = (Rows::new(), Vec::with_capacity(count));
        for reading in readings {
            seen.push(Read {
                tokens: reading.row.steps() as u32,
                truncated: reading.truncated,
            });
            rows.push(reading.row);
        }
        Ok((rows, seen))
    });
    let served = model.serve(call.turn(), count, rows, |outputs, seen| {
        let rows = outputs.iter().zip(seen);
        rows.map(|(row, read)| wanted.answer(&model, output, row, read))
            .collect()
    });
    let served = served.await?;
    Ok(v1::ClassifyTextResponse {
        classifications: served.answer,
        model: model.name.to_string(),
        version: model.version.to_string(),
        timing: Some(timing(&served.spent)),
    })
}
