//! Distributed tracing: spans of calls and of their stages, sent by OTLP
//! (<https://opentelemetry.io/docs/specs/otlp/>).
//!
//! A caller's `traceparent` (<https://www.w3.org/TR/trace-context/>) decides whether its call is
//! traced. Of the other calls a share is. A call that is not traced costs a look at its headers and
//! a random number. Spans are made when a call ends, because its times are measured anyway.

mod exporter;
mod remote;
mod spans;

use std::sync::Arc;

use http::HeaderMap;
use opentelemetry::trace::TraceId;

pub(crate) use exporter::Traces;
pub(crate) use spans::{CallSpan, Stages};

/// What is known of the trace that a call belongs to.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// For the log: the caller's, whether or not its trace is recorded, or the server's own.
    pub(crate) id: Option<TraceId>,
    /// `None`: the call is not traced.
    pub(crate) span: Option<Arc<CallSpan>>,
}

impl Traces {
    /// Begins the trace of a call of `rpc`, `/package.Service/Method`, that has arrived now.
    pub(crate) fn begin(&self, rpc: &'static str, headers: &HeaderMap) -> Trace {
        let remote = remote::parent(headers);
        let id = remote.as_ref().map(|(_, span)| span.trace_id());
        let Some(recorder) = self.recorder() else {
            return Trace { id, span: None };
        };
        let (parent, sampled) = match remote {
            Some((context, span)) => (context, span.is_sampled()),
            None => (opentelemetry::Context::new(), recorder.chooses()),
        };
        if !sampled {
            return Trace { id, span: None };
        }
        let span = CallSpan::start(recorder, rpc, &parent);
        Trace {
            id: Some(span.trace_id()),
            span: Some(Arc::new(span)),
        }
    }
}
