//! Between wire messages and the domain's types. proto3 enums are open: an unknown value is the caller's error.

use std::time::Duration;

use quintet_bundle::image::Framing;
use quintet_bundle::{Dim, Task, TensorSpec};
use quintet_proto::v1;

use super::status::status;
use crate::batching::Timing;
use crate::decode::Picture;
use crate::error::{ServeError, Violation};
use crate::flow::Served;
use crate::model::Model;
use crate::repository::{State, VersionId};
use crate::sentiment::Scored;
use crate::service::Classify;
use crate::task::classify::RankedLabel;

/// A request as the domain takes it.
pub(super) fn classify(request: v1::ClassifyRequest) -> Result<Classify, ServeError> {
    let framing = match v1::Framing::try_from(request.framing) {
        Ok(v1::Framing::Unspecified | v1::Framing::Auto) => Framing::Auto,
        Ok(v1::Framing::None) => Framing::None,
        Err(_) => {
            let description = format!(
                "is {}; FRAMING_AUTO (1) and FRAMING_NONE (2) are allowed",
                request.framing
            );
            return Err(ServeError::invalid("framing", description));
        }
    };
    let mut violations = Vec::new();
    let mut pictures = Vec::with_capacity(request.images.len());
    for (index, image) in request.images.into_iter().enumerate() {
        match image.source {
            Some(v1::image::Source::Encoded(file)) => pictures.push(Picture::Encoded(file)),
            Some(v1::image::Source::Raw(raw)) => pictures.push(Picture::Raw {
                width: raw.width,
                height: raw.height,
                channels: raw.channels,
                data: raw.data,
            }),
            None => violations.push(Violation {
                field: format!("images[{index}]"),
                description: "is empty; `encoded` or `raw` is needed".to_owned(),
            }),
        }
    }
    if !violations.is_empty() {
        return Err(ServeError::violations(violations));
    }
    Ok(Classify {
        pictures,
        top_k: request.top_k as usize,
        framing,
    })
}

/// An answer as the wire carries it.
pub(super) fn classified(
    model: &Model,
    served: Served<Vec<Vec<RankedLabel>>>,
) -> v1::ClassifyResponse {
    let classifications = served
        .answer
        .into_iter()
        .map(|labels| v1::Classification {
            labels: labels
                .into_iter()
                .map(|label| v1::Label {
                    name: label_name(model, label.index),
                    index: label.index as u32,
                    probability: label.probability,
                })
                .collect(),
        })
        .collect();
    v1::ClassifyResponse {
        classifications,
        model: model.name.to_string(),
        version: model.version.to_string(),
        timing: Some(timing(served.preprocess, served.timing)),
    }
}

/// An answer as the wire carries it.
pub(super) fn sentiments(model: &Model, served: Served<Vec<Scored>>) -> v1::SentimentScoreResponse {
    let sentiment = |scored: Scored| v1::Sentiment {
        score: scored.sentiment.score,
        label: label_name(model, scored.sentiment.label),
        tokens: scored.tokens as u32,
        truncated: scored.truncated,
    };
    v1::SentimentScoreResponse {
        sentiments: served.answer.into_iter().map(sentiment).collect(),
        model: model.name.to_string(),
        version: model.version.to_string(),
        timing: Some(timing(served.preprocess, served.timing)),
    }
}

/// An answer on a stream.
pub(super) fn classified_item(
    index: u64,
    answer: Result<v1::ClassifyResponse, ServeError>,
) -> v1::ClassifyStreamResponse {
    use v1::classify_stream_response::Result;
    let result = match answer {
        Ok(response) => Result::Response(response),
        Err(error) => {
            let retry_after = error.retry_after().unwrap_or_default();
            let status = status(&error);
            Result::Error(v1::StreamError {
                code: status.code() as i32,
                message: status.message().to_owned(),
                // Never 0, which would say that asking again does not help.
                retry_after_ms: retry_after.as_nanos().div_ceil(1_000_000) as u64,
            })
        }
    };
    v1::ClassifyStreamResponse {
        index,
        result: Some(result),
    }
}

/// What ListModels says of one version.
pub(super) fn model_info(id: VersionId, state: State, is_default: bool) -> v1::ModelInfo {
    let mut info = v1::ModelInfo {
        name: id.name,
        version: id.version.to_string(),
        ..Default::default()
    };
    match state {
        State::Loading => {
            info.set_state(v1::ModelState::Loading);
            "the model is still loading".clone_into(&mut info.reason);
        }
        State::Unavailable(reason) => {
            info.set_state(v1::ModelState::Unavailable);
            info.reason = reason;
        }
        State::Ready(model) => {
            info.set_state(v1::ModelState::Ready);
            describe(&model, &mut info);
            info.is_default = is_default;
        }
    }
    info
}

fn label_name(model: &Model, index: usize) -> String {
    let label = model.manifest.labels.get(index);
    label.cloned().unwrap_or_default()
}

/// Where a request's time went.
pub(super) fn timing(preprocess: Duration, inside: Timing) -> v1::Timing {
    v1::Timing {
        preprocess_us: preprocess.as_micros() as u64,
        queue_us: inside.queue.as_micros() as u64,
        compute_us: inside.compute.as_micros() as u64,
        batch_size: inside.batch_size as u32,
    }
}

fn describe(model: &Model, info: &mut v1::ModelInfo) {
    let manifest = &model.manifest;
    let settings = model.engine.settings();
    info.set_task(match manifest.task {
        Task::ImageClassification => v1::Task::ImageClassification,
        Task::TextClassification => v1::Task::TextClassification,
        Task::ImageGeneration => v1::Task::ImageGeneration,
        _ => v1::Task::Unspecified,
    });
    info.architecture.clone_from(&manifest.architecture);
    info.labels.clone_from(&manifest.labels);
    info.inputs = manifest.inputs.iter().map(tensor).collect();
    info.outputs = manifest.outputs.iter().map(tensor).collect();
    info.device = model.device.to_string();
    info.instances = settings.instances as u32;
    info.max_batch_size = settings.max_batch_size as u32;
    info.parameters = manifest.training.parameters;
    info.metrics = manifest.training.metrics.clone().into_iter().collect();
}

fn tensor(spec: &TensorSpec) -> v1::TensorMetadata {
    let size = |dim: &Dim| match dim {
        Dim::Fixed(size) => *size as i64,
        Dim::Symbol(_) => -1,
    };
    v1::TensorMetadata {
        name: spec.name.clone(),
        datatype: spec.datatype.as_str().to_owned(),
        shape: spec.shape.iter().map(size).collect(),
    }
}
