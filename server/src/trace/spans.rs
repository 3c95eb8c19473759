//! The span of a call, and the spans of its stages below it. Names of attributes are OpenTelemetry's
//! for gRPC (<https://opentelemetry.io/docs/specs/semconv/rpc/grpc/>), or begin with `quintet`.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanKind, Status, TraceContextExt as _, TraceId, Tracer as _};
use opentelemetry::{Context, KeyValue};

use super::exporter::Recorder;
use crate::batching::Timing;

/// The span of a traced call, until [`CallSpan::end`].
#[derive(Debug)]
pub(crate) struct CallSpan {
    recorder: Arc<Recorder>,
    context: Context,
}

/// A request's way through one model, stage by stage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stages {
    /// When pre-processing began.
    pub(crate) started: SystemTime,
    pub(crate) preprocess: Duration,
    pub(crate) inside: Timing,
    pub(crate) postprocess: Duration,
}

impl CallSpan {
    /// Starts now.
    pub(super) fn start(recorder: &Arc<Recorder>, rpc: &'static str, parent: &Context) -> Self {
        let name = rpc.trim_start_matches('/');
        let (service, method) = name.split_once('/').unwrap_or((name, ""));
        let span = recorder
            .tracer
            .span_builder(name)
            .with_kind(SpanKind::Server)
            .with_attributes([
                KeyValue::new("rpc.system", "grpc"),
                KeyValue::new("rpc.service", service),
                KeyValue::new("rpc.method", method),
            ])
            .start_with_context(&recorder.tracer, parent);
        Self {
            recorder: Arc::clone(recorder),
            context: parent.with_span(span),
        }
    }

    pub(super) fn trace_id(&self) -> TraceId {
        self.context.span().span_context().trace_id()
    }

    /// Adds the stages of an answered request. Of a request that was split into several batches,
    /// the queue and compute spans are the longest ones.
    pub(crate) fn add_stages(&self, model: &str, version: u32, stages: Stages) {
        let Stages {
            started,
            preprocess,
            inside,
            postprocess,
        } = stages;
        let of_batch = KeyValue::new("quintet.batch_size", inside.batch_size as i64);
        let mut begin = started;
        for (name, took, batch) in [
            ("preprocess", preprocess, None),
            ("queue", inside.queue, None),
            ("compute", inside.compute, Some(of_batch)),
            ("postprocess", postprocess, None),
        ] {
            let model = [
                KeyValue::new("quintet.model.name", model.to_owned()),
                KeyValue::new("quintet.model.version", i64::from(version)),
            ];
            let span = self
                .recorder
                .tracer
                .span_builder(name)
                .with_kind(SpanKind::Internal)
                .with_start_time(begin)
                .with_attributes(model.into_iter().chain(batch))
                .start_with_context(&self.recorder.tracer, &self.context);
            begin += took;
            self.context
                .with_span(span)
                .span()
                .end_with_timestamp(begin);
        }
    }

    /// The call has ended with this gRPC code, of which `is_fault` says whether the server is to
    /// blame.
    pub(crate) fn end(&self, model: &str, code: i32, name: &'static str, is_fault: bool) {
        let span = self.context.span();
        span.set_attribute(KeyValue::new("rpc.grpc.status_code", i64::from(code)));
        if !model.is_empty() {
            span.set_attribute(KeyValue::new("quintet.model.name", model.to_owned()));
        }
        if is_fault {
            span.set_status(Status::error(name));
        }
        span.end();
    }
}
