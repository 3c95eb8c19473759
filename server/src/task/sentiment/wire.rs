//! SentimentScore of `quintet.v1.InferenceService`.

use std::pin::pin;

use quintet_proto::v1;

use super::prepare::{Reader, read};
use super::{Limits, NAME};
use crate::call::Call;
use crate::error::ServeError;
use crate::grpc::Rpc;
use crate::runtime::{Row, Rows};
use crate::task::wire::{label_name, timing};

/// How a text was read: its tokens, and whether it had more.
type Seen = (usize, bool);

pub(super) fn calls(limits: Limits) -> Vec<Rpc> {
    vec![Rpc::unary(
        "/quintet.v1.InferenceService/SentimentScore",
        move |call, request| sentiment_score(limits, call, request),
    )]
}

async fn sentiment_score(
    limits: Limits,
    call: Call,
    request: v1::SentimentScoreRequest,
) -> Result<v1::SentimentScoreResponse, ServeError> {
    let model = call.resolve(NAME, &request.model, &request.version)?;
    let count = request.texts.len();
    ServeError::check_count("texts", count, limits.max_texts_per_request)?;
    let texts = request.texts;
    let reader = model.state::<Reader>()?;
    let output = reader.output;
    let rows = pin!(async {
        let readings = read(call.blocking(), limits, reader, texts).await?;
        let (mut rows, mut seen) = (Rows::new(), Vec::with_capacity(count));
        for reading in readings {
            seen.push((reading.row.steps(), reading.truncated));
            rows.push(reading.row);
        }
        Ok((rows, seen))
    });
    let sentiment = |(row, (tokens, truncated)): (&Row, Seen)| {
        let (score, label) = output.score(row)?;
        Some(v1::Sentiment {
            score,
            label: label_name(&model, label),
            tokens: tokens as u32,
            truncated,
        })
    };
    let served = model.serve(call.deadline(), count, rows, |outputs, seen| {
        outputs.iter().zip(seen).map(sentiment).collect()
    });
    let served = served.await?;
    Ok(v1::SentimentScoreResponse {
        sentiments: served.answer,
        model: model.name.to_string(),
        version: model.version.to_string(),
        timing: Some(timing(&served.spent)),
    })
}
