//! What callers want of a model. A task is one folder: which models it can serve, how a request
//! becomes rows, how rows become an answer, its limits, its messages and its calls. The calls of
//! [`text`] have a folder each.
//!
//! Plain tensors, which any model takes, have a folder beside the tasks.

pub mod classify;
mod classify_text;
pub mod generate;
pub mod picture;
mod probabilities;
mod sentiment;
pub(crate) mod tensors;
pub mod text;
mod wire;

use std::any::Any;
use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;

use quintet_bundle::Bundle;

use crate::grpc::Rpc;
use crate::runtime::Signature;

/// What a task keeps of one model; [`Model::state`](crate::model::Model::state) gives it back.
pub type TaskState = Arc<dyn Any + Send + Sync>;

/// What a task keeps of a model, or why it cannot serve the model.
pub type Opened = Result<TaskState, Box<dyn Error + Send + Sync>>;

/// One thing that models do and callers ask for.
pub trait Task: Debug + Send + Sync {
    /// The task's name in a manifest.
    fn name(&self) -> &'static str;

    /// Checks that the task can serve the model, and opens what it needs of it. It may also
    /// restrict the values that an input of the model takes.
    ///
    /// # Errors
    /// Why it cannot.
    fn open(&self, bundle: &Bundle, signature: &mut Signature) -> Opened;

    /// The task's rows in the table of calls, the busiest first.
    fn calls(&self) -> Vec<Rpc>;
}

/// The tasks of a server.
#[derive(Debug, Clone)]
pub struct Tasks(Arc<[Box<dyn Task>]>);

/// The limits of the built-in tasks, which are options of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
#[group(skip)]
pub struct Limits {
    /// Of images.
    #[command(flatten)]
    pub classify: classify::Limits,
    /// Of texts.
    #[command(flatten)]
    pub text: text::Limits,
    /// Of images from noise.
    #[command(flatten)]
    pub generate: generate::Limits,
}

impl Tasks {
    /// The built-in tasks, and others.
    pub fn new(limits: Limits, others: impl IntoIterator<Item = Box<dyn Task>>) -> Self {
        let built_in: [Box<dyn Task>; 3] = [
            Box::new(classify::Classify(limits.classify)),
            Box::new(text::Text(limits.text)),
            Box::new(generate::Generate(limits.generate)),
        ];
        Self(built_in.into_iter().chain(others).collect())
    }

    /// All tasks.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Task> {
        self.0.iter().map(|task| &**task)
    }

    /// Opens a model for its task. A model whose task this server does not have is served as plain
    /// tensors alone.
    ///
    /// # Errors
    /// The task cannot serve the model.
    pub(crate) fn open(&self, bundle: &Bundle, signature: &mut Signature) -> Opened {
        let manifest = bundle.manifest();
        if let Some(task) = self.iter().find(|task| task.name() == manifest.task) {
            return task.open(bundle, signature);
        }
        tracing::warn!(
            model = manifest.name,
            task = manifest.task,
            "this server has no such task; only the Open Inference Protocol serves the model",
        );
        Ok(Arc::new(()))
    }
}
