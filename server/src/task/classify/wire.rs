//! Classify and ClassifyStream of `quintet.v1.InferenceService`.

use std::pin::pin;

use quintet_bundle::image::Framing;
use quintet_proto::v1;
use quintet_proto::v1::classify_stream_response::Result as ItemResult;
use smallvec::SmallVec;

use super::prepare::{Manner, Reading, read};
use super::{Classifier, Limits, NAME, explain};
use crate::call::Call;
use crate::error::{ServeError, Violation};
use crate::grpc::{self, Items, Rpc};
use crate::runtime::{Row, Rows};
use crate::task::picture::Picture;
use crate::task::wire::{label, on_unreadable, timing};

pub(super) fn calls(limits: Limits) -> Vec<Rpc> {
    let items = Items { in_order: false };
    vec![
        Rpc::unary(
            "/quintet.v1.InferenceService/Classify",
            move |call, request| classify(limits, call, request),
        ),
        Rpc::bidirectional(
            "/quintet.v1.InferenceService/ClassifyStream",
            items,
            move |call, item| classify_item(limits, call, item),
        ),
    ]
}

async fn classify(
    limits: Limits,
    call: Call,
    request: v1::ClassifyRequest,
) -> Result<v1::ClassifyResponse, ServeError> {
    let model = call.resolve(NAME, &request.model, &request.version)?;
    let count = request.images.len();
    // Before anything is done for each of them.
    ServeError::check_count("images", count, limits.max_images_per_request)?;
    let _admitted = call.admit(count)?;
    let on_unreadable = on_unreadable(request.on_unreadable)?;
    let refuse_unreadable = on_unreadable == v1::OnUnreadable::Error;
    let manner = Manner {
        framing: framing(request.framing)?,
        refuse_unreadable,
        explain: request.explain,
    };
    let pictures = request.images.into_iter().enumerate().map(picture);
    let pictures = ServeError::collect(pictures)?;
    let classifier = model.state::<Classifier>()?;
    let rows = pin!(async {
        let call = (call.blocking(), limits);
        let readings = read(call, classifier.input, pictures, manner).await?;
        let split = |it: Reading| (it.row, (it.readable, it.seen));
        let rows: (Rows, SmallVec<[_; 1]>) = readings.into_iter().map(split).unzip();
        Ok(rows)
    });
    let top_k = request.top_k as usize;
    // Clients from before `on_unreadable` expect labels.
    let without_labels = on_unreadable == v1::OnUnreadable::Answer;
    let classification = |(row, (readable, seen)): (&Row, _)| {
        let (ranked, is_known) = classifier.read(row, top_k)?;
        let readable = readable && is_known;
        let mut answer = explain::classification(&classifier.input.spec, readable, seen);
        if readable || !without_labels {
            answer.labels = ranked.into_iter().map(|it| label(&model, it)).collect();
        }
        Some(answer)
    };
    let served = model.serve(call.turn(), count, rows, |outputs, seen| {
        let answers = outputs.iter().zip(seen).map(classification);
        answers.collect::<Option<Vec<_>>>()
    });
    let served = served.await?;
    if refuse_unreadable {
        check_readable(&served.answer)?;
    }
    Ok(v1::ClassifyResponse {
        classifications: served.answer,
        model: model.name.to_string(),
        version: model.version.to_string(),
        timing: Some(timing(&served.spent)),
    })
}

async fn classify_item(
    limits: Limits,
    call: Call,
    item: v1::ClassifyStreamRequest,
) -> v1::ClassifyStreamResponse {
    let answer = match item.request {
        Some(request) => classify(limits, call, request).await,
        None => Err(ServeError::invalid("request", "is not set")),
    };
    v1::ClassifyStreamResponse {
        index: item.index,
        result: Some(match answer {
            Ok(response) => ItemResult::Response(response),
            Err(error) => ItemResult::Error(stream_error(&error)),
        }),
    }
}

/// Refuses images that the model knows no label of.
fn check_readable(answers: &[v1::Classification]) -> Result<(), ServeError> {
    let unreadable = answers.iter().enumerate().filter(|(_, it)| !it.readable());
    let violation = |(index, _)| {
        let words = "has ink that the model can read as none of its labels";
        Violation::new(format!("images[{index}]"), words)
    };
    ServeError::check(unreadable.map(violation).collect())
}

/// The image of a request at `index`.
fn picture((index, image): (usize, v1::Image)) -> Result<Picture, Violation> {
    let missing = "is empty; `encoded` or `raw` is needed";
    let source = image.source;
    source.ok_or_else(|| Violation::new(format!("images[{index}]"), missing))
}

fn framing(value: i32) -> Result<Framing, ServeError> {
    match v1::Framing::try_from(value) {
        Ok(v1::Framing::Unspecified | v1::Framing::Auto) => Ok(Framing::Auto),
        Ok(v1::Framing::None) => Ok(Framing::None),
        Err(_) => {
            let words = format!("is {value}; FRAMING_AUTO (1) and FRAMING_NONE (2) are allowed");
            Err(ServeError::invalid("framing", words))
        }
    }
}

fn stream_error(error: &ServeError) -> v1::StreamError {
    let retry_after = error.retry_after().unwrap_or_default();
    v1::StreamError {
        code: grpc::code_number(error),
        message: error.to_string(),
        // Rounded up, since 0 says that asking again does not help.
        retry_after_ms: retry_after.as_nanos().div_ceil(1_000_000) as u64,
    }
}
