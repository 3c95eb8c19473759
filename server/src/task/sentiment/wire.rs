//! SentimentScore of `quintet.v1.InferenceService`.

use std::pin::pin;

use quintet_bundle::ProblemType;
use quintet_proto::v1;

use super::finish::Polarity;
use crate::call::Call;
use crate::error::ServeError;
use crate::grpc::Rpc;
use crate::model::Model;
use crate::runtime::{Row, Rows};
use crate::task::text::{Limits, NAME, Reader, Reading, read};
use crate::task::wire::{label_name, on_unreadable, timing};

/// The label of a text of which the model knows no word.
const UNKNOWN: &str = "UNKNOWN";

pub(in crate::task) fn call(limits: Limits) -> Rpc {
    Rpc::unary(
        "/quintet.v1.InferenceService/SentimentScore",
        move |call, request| sentiment_score(limits, call, request),
    )
}

async fn sentiment_score(
    limits: Limits,
    call: Call,
    request: v1::SentimentScoreRequest,
) -> Result<v1::SentimentScoreResponse, ServeError> {
    let model = call.resolve(NAME, &request.model, &request.version)?;
    let polarity = Polarity::of(&model.manifest).ok_or_else(|| ServeError::WrongTask {
        model: model.name.to_string(),
        does: format!("{NAME} with {}", labels(&model)),
        needs: "two labels of which one is right".to_owned(),
    })?;
    let count = request.texts.len();
    ServeError::check_count("texts", count, limits.max_texts_per_request)?;
    let _admitted = call.admit(count)?;
    let refuse_unreadable = on_unreadable(request.on_unreadable)? == v1::OnUnreadable::Error;
    let check = move |reading: &Reading| {
        let unreadable = refuse_unreadable && reading.known == 0;
        let refused = || Err("has no word that the model knows".to_owned());
        if unreadable { refused() } else { Ok(()) }
    };
    let texts = request.texts;
    let reader = model.state::<Reader>()?;
    let output = reader.output;
    let rows = pin!(async {
        let readings = read(call.blocking(), limits, reader, texts, check).await?;
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
        let (score, label) = polarity.score(output, row)?;
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

/// What a model's labels are, for the error of one that does not fit.
fn labels(model: &Model) -> String {
    let count = model.manifest.labels.len();
    match model.manifest.problem_type {
        ProblemType::SingleLabelClassification => format!("{count} labels"),
        ProblemType::MultiLabelClassification => format!("{count} independent labels"),
        ProblemType::Regression => "numbers instead of labels".to_owned(),
    }
}
