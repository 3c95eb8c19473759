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

/// The label of a text of which the model knows no word.
const UNKNOWN: &str = "UNKNOWN";

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
    let _admitted = call.admit(count)?;
    let refuse_unreadable = request.on_unreadable == v1::OnUnreadable::Error as i32;
    let texts = request.texts;
    let reader = model.state::<Reader>()?;
    let output = reader.output;
    let rows = pin!(async {
        let readings = read(call.blocking(), limits, reader, texts, refuse_unreadable).await?;
        let (mut rows, mut seen) = (Rows::new(), Vec::with_capacity(count));
        for reading in readings {
            seen.push(v1::Sentiment {
                tokens: reading.row.steps() as u32,
                truncated: reading.truncated,
                known_tokens: reading.known as u32,
                language_supported: reading.known > 0 && 2 * reading.known >= reading.words,
                ..v1::Sentiment::default()
            });
            rows.push(reading.row);
        }
        Ok((rows, seen))
    });
    let sentiment = |(row, seen): (&Row, v1::Sentiment)| {
        let (score, label) = output.score(row)?;
        let (score, label) = match seen.known_tokens {
            0 => (0.5, UNKNOWN.to_owned()),
            _ => (score, label_name(&model, label)),
        };
        Some(v1::Sentiment {
            score,
            label,
            ..seen
        })
    };
    let served = model.serve(call.turn(), count, rows, |outputs, seen| {
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
