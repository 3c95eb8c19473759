//! What a handler knows of its call, and what all handlers share.

use std::sync::{Arc, OnceLock};

use tokio::time::Instant;

use crate::blocking::{Blocking, Lane};
use crate::error::ServeError;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::model::Model;
use crate::repository::Repository;
use crate::transport::Budget;

/// What the handlers of all calls share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) repository: Arc<Repository>,
    pub(crate) blocking: Blocking,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) metrics: Metrics,
    /// In bytes, of a request's message.
    pub(crate) max_message_size: usize,
    /// Of all requests' messages.
    pub(crate) budget: Budget,
}

/// One call of an RPC. Its clones are the same call.
#[derive(Debug, Clone)]
pub struct Call(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    context: Arc<Context>,
    deadline: Option<Instant>,
    /// The model that the request has reached.
    model: OnceLock<Arc<str>>,
}

impl Call {
    /// A call whose caller waits until `deadline`.
    pub(crate) fn new(context: Arc<Context>, deadline: Option<Instant>) -> Self {
        Self(Arc::new(Inner {
            context,
            deadline,
            model: OnceLock::new(),
        }))
    }

    /// When the caller stops waiting, from `grpc-timeout`.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// Every model of the server.
    pub fn repository(&self) -> &Repository {
        &self.0.context.repository
    }

    /// The threads for long work of the model that the request has reached.
    pub fn blocking(&self) -> Lane<'_> {
        let model = self.0.model.get().map_or("", |model| model);
        self.0.context.blocking.lane(model)
    }

    /// The model of this task that a request means, see [`Repository::resolve`]. The metrics of the
    /// call name it.
    ///
    /// # Errors
    /// There is no such model, it is not ready, or it has another task.
    pub fn resolve(&self, task: &str, name: &str, version: &str) -> Result<Arc<Model>, ServeError> {
        let model = self.repository().resolve(task, name, version)?;
        self.set_model(&model);
        Ok(model)
    }

    /// Whether the server takes new requests.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`] once it drains.
    pub fn check_accepting(&self) -> Result<(), ServeError> {
        self.0.context.lifecycle.check()
    }

    /// Whether the server has begun to shut down.
    pub fn is_leaving(&self) -> bool {
        self.0.context.lifecycle.is_leaving()
    }

    pub(crate) fn context(&self) -> &Context {
        &self.0.context
    }

    /// Notes the model that the request has reached; the first one counts.
    pub(crate) fn set_model(&self, model: &Model) {
        let _ = self.0.model.set(Arc::clone(&model.name));
    }

    /// The name of the model that the request has reached; empty: none.
    pub(crate) fn model_name(&self) -> Arc<str> {
        self.0.model.get().cloned().unwrap_or_default()
    }
}
