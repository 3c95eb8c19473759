//! What a handler knows of its call, and what all handlers share.

use std::sync::{Arc, OnceLock};

use tokio::time::Instant;

use crate::blocking::{Blocking, Lane};
use crate::error::ServeError;
use crate::flow::Turn;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::model::Model;
use crate::repository::Repository;
use crate::tls::Identity;
use crate::tokens::{Access, Admitted, Caller, Tokens};
use crate::trace::{Trace, Traces};
use crate::transport::{Budget, ResponseCompression};

/// What the handlers of all calls share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) repository: Arc<Repository>,
    pub(crate) blocking: Blocking,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) metrics: Metrics,
    /// In bytes, of a request's message.
    pub(crate) max_message_size: usize,
    /// `None`: anyone may call.
    pub(crate) tokens: Option<Arc<Tokens>>,
    pub(crate) traces: Traces,
    /// Of all requests' messages.
    pub(crate) budget: Budget,
    pub(crate) response_compression: ResponseCompression,
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
    source: Source,
    trace: Trace,
}

/// Where a call comes from, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Of the client's certificate.
    pub(crate) identity: Option<Identity>,
    /// `None`: anyone may make the call, or no callers are configured.
    pub(crate) caller: Option<Arc<Caller>>,
    /// What the call needs of it.
    pub(crate) access: Access,
}

impl Call {
    /// A call from `source` whose caller waits until `deadline`.
    pub(crate) fn new(
        context: Arc<Context>,
        deadline: Option<Instant>,
        source: Source,
        trace: Trace,
    ) -> Self {
        Self(Arc::new(Inner {
            context,
            deadline,
            model: OnceLock::new(),
            source,
            trace,
        }))
    }

    /// When the caller stops waiting, from `grpc-timeout`.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// How a request of this call takes its turn: until its deadline, in the share of its caller.
    pub fn turn(&self) -> Turn {
        let flow = self.caller().map(|caller| caller.flow());
        Turn {
            deadline: self.deadline(),
            flow: flow.unwrap_or_default(),
            span: self.0.trace.span.clone(),
        }
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
    /// There is no such model, it is not ready, it has another task, or the caller may not use it.
    pub fn resolve(&self, task: &str, name: &str, version: &str) -> Result<Arc<Model>, ServeError> {
        let model = self.repository().resolve(task, name, version)?;
        self.reach(&model)?;
        Ok(model)
    }

    /// Takes `rows` of what the caller may have in flight and of its rate, until the result is
    /// dropped. A task asks before it serves them.
    ///
    /// # Errors
    /// [`ServeError::CallerLimit`].
    pub fn admit(&self, rows: usize) -> Result<Admitted, ServeError> {
        match self.caller_now()? {
            Some(caller) => caller.admit(rows, Instant::now()),
            None => Ok(Admitted::default()),
        }
    }

    /// Whether the caller may use this model.
    pub fn may_use(&self, model: &str) -> bool {
        self.caller().is_none_or(|caller| caller.may_use(model))
    }

    /// # Errors
    /// [`ServeError::PermissionDenied`]: the caller may not use this model.
    /// [`ServeError::Unauthenticated`]: it is no caller any more.
    pub fn check_model(&self, model: &str) -> Result<(), ServeError> {
        match self.caller_now()? {
            Some(caller) => caller.check_model(model),
            None => Ok(()),
        }
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

    /// The configured caller who makes the call.
    pub(crate) fn caller(&self) -> Option<&Arc<Caller>> {
        self.0.source.caller.as_ref()
    }

    /// The caller as it is described now: each message of a stream counts by that.
    fn caller_now(&self) -> Result<Option<Arc<Caller>>, ServeError> {
        let source = &self.0.source;
        let (Some(tokens), Some(caller)) = (&self.0.context.tokens, &source.caller) else {
            return Ok(None);
        };
        let caller = tokens.again(caller)?;
        caller.check_access(source.access)?;
        Ok(Some(caller))
    }

    /// The trace that the call belongs to.
    pub(crate) fn trace(&self) -> &Trace {
        &self.0.trace
    }

    /// The identity of the client's certificate.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.0.source.identity.as_ref()
    }

    /// Notes the model that the request has reached; the first one counts.
    ///
    /// # Errors
    /// [`ServeError::PermissionDenied`]: the caller may not use it.
    pub(crate) fn reach(&self, model: &Model) -> Result<(), ServeError> {
        let _ = self.0.model.set(Arc::clone(&model.name));
        self.check_model(&model.name)
    }

    /// The name of the model that the request has reached; empty: none.
    pub(crate) fn model_name(&self) -> Arc<str> {
        self.0.model.get().cloned().unwrap_or_default()
    }
}
