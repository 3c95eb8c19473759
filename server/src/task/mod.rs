//! What callers want of a model: each task prepares rows from a request and finishes an answer from rows.

pub mod classify;
pub mod generate;
pub mod sentiment;
pub mod tensors;

use quintet_bundle::{Manifest, Task};

/// A model that no task of this server can speak for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a model for {task} cannot be served: {reason}")]
pub struct UnsupportedModel {
    task: &'static str,
    reason: String,
}

/// Whether one of the tasks can serve the model.
pub fn check(manifest: &Manifest) -> Result<(), UnsupportedModel> {
    let outcome = match manifest.task {
        Task::ImageClassification => classify::check(manifest),
        Task::TextClassification => sentiment::check(manifest),
        Task::ImageGeneration => generate::check(manifest),
        _ => Err("this server has no such task".to_owned()),
    };
    outcome.map_err(|reason| UnsupportedModel {
        task: manifest.task.as_str(),
        reason,
    })
}
