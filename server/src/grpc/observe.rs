//! What is seen of every request, whichever service answers it: its id, deadline, code, duration and log line.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::Service;

use super::endless::UntilDrained;
use super::recorded::Recorded;
use super::status::{code_name, is_ours, status};
use crate::error::ServeError;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::request_id;

/// The calls that metrics name; any other path is "unknown", so that callers cannot add series.
const RPCS: [&str; 19] = [
    "/quintet.v1.InferenceService/Classify",
    "/quintet.v1.InferenceService/ClassifyStream",
    "/quintet.v1.InferenceService/ListModels",
    "/inference.GRPCInferenceService/ModelInfer",
    "/inference.GRPCInferenceService/ModelStreamInfer",
    "/inference.GRPCInferenceService/ServerLive",
    "/inference.GRPCInferenceService/ServerReady",
    "/inference.GRPCInferenceService/ModelReady",
    "/inference.GRPCInferenceService/ServerMetadata",
    "/inference.GRPCInferenceService/ModelMetadata",
    "/inference.GRPCInferenceService/ModelConfig",
    "/inference.GRPCInferenceService/ModelStatistics",
    "/inference.GRPCInferenceService/RepositoryIndex",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.health.v1.Health/List",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "unknown",
];
/// The calls whose answers end only when the caller wants it.
const ENDLESS: [&str; 3] = [
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];
/// The calls that are many requests: such a call has ended with its last answer, not with its first.
const STREAMS: [&str; 2] = [
    "/quintet.v1.InferenceService/ClassifyStream",
    "/inference.GRPCInferenceService/ModelStreamInfer",
];
const REQUEST_ID: &str = "x-request-id";

/// Wraps the routes. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Observe {
    routes: Routes,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    lifecycle: Arc<Lifecycle>,
    metrics: Metrics,
    max_message_size: usize,
}

/// What a handler knows of its call, and what it tells of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Call {
    /// When the caller stops waiting, from `grpc-timeout`.
    pub(super) deadline: Option<Instant>,
    /// The model that the request reached.
    model: Arc<OnceLock<Arc<str>>>,
}

/// Counts the request out however it ends; one that is dropped before its end was cancelled by the caller.
struct Record {
    shared: Arc<Shared>,
    call: Call,
    rpc: &'static str,
    id: String,
    started: Instant,
    code: Code,
}

// === impl Call ===

impl Call {
    /// A call whose caller stops waiting then.
    pub(super) fn until(deadline: Option<Instant>) -> Self {
        Self {
            deadline,
            model: Arc::default(),
        }
    }

    /// The call that this request belongs to.
    pub(super) fn of<T>(request: &tonic::Request<T>) -> Self {
        request
            .extensions()
            .get::<Self>()
            .cloned()
            .unwrap_or_default()
    }

    /// The request has reached this model.
    pub(super) fn reached(&self, model: &Arc<str>) {
        let _ = self.model.set(Arc::clone(model));
    }
}

// === impl Observe ===

impl Observe {
    pub(super) fn new(
        routes: Routes,
        lifecycle: Arc<Lifecycle>,
        metrics: Metrics,
        max_message_size: usize,
    ) -> Self {
        Self {
            routes,
            shared: Arc::new(Shared {
                lifecycle,
                metrics,
                max_message_size,
            }),
        }
    }
}

impl Service<Request<Incoming>> for Observe {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The routes are always ready, and each request goes to a clone of them.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let started = Instant::now();
        let path = request.uri().path();
        let rpc = RPCS
            .iter()
            .find(|rpc| **rpc == path)
            .copied()
            .unwrap_or("unknown");
        let given = request
            .headers()
            .get(REQUEST_ID)
            .and_then(|value| value.to_str().ok());
        let id = given
            .and_then(request_id::accept)
            .map_or_else(request_id::next, str::to_owned);
        let media_type = media_type(request.headers());
        let is_grpc = media_type.is_ok();
        let timeout = media_type.and_then(|()| grpc_timeout(request.headers()));
        let deadline = timeout
            .as_ref()
            .ok()
            .copied()
            .flatten()
            .and_then(|timeout| started.checked_add(timeout));
        let call = Call::until(deadline);
        let shared = Arc::clone(&self.shared);
        shared.lifecycle.enter();
        shared.metrics.request_started();
        let mut record = Record {
            shared,
            call: call.clone(),
            rpc,
            id,
            started,
            code: Code::Cancelled,
        };

        let mut request = request.map(Body::new);
        request.extensions_mut().insert(call);
        // Not the router's own readiness: it has none.
        let answer = timeout.map(|_| self.routes.call(request));
        Box::pin(async move {
            let mut response = match answer {
                Ok(answer) => answer.await.unwrap_or_else(|error| match error {}),
                Err(error) => status(&error).into_http(),
            };
            let failure = Status::from_header_map(response.headers());
            record.code = failure.as_ref().map_or(Code::Ok, Status::code);
            // What the codec says of a message that it cannot read, in codes that would blame the server.
            let unread = match &failure {
                Some(failure) if failure.code() == Code::OutOfRange => {
                    let limit = record.shared.max_message_size;
                    Some(format!(
                        "is too large; at most {limit} bytes (max_message_size) are allowed"
                    ))
                }
                Some(failure) if failure.code() == Code::Internal && !is_ours(failure) => {
                    Some(format!("cannot be read: {}", failure.message()))
                }
                _ => None,
            };
            if let Some(words) = unread {
                response = status(&ServeError::invalid("request", words)).into_http();
                record.code = Code::InvalidArgument;
            }
            if ENDLESS.contains(&record.rpc) {
                let drained = record.shared.lifecycle.drained();
                response = response.map(|body| Body::new(UntilDrained::new(body, drained)));
            }
            if !is_grpc {
                // So that a client of another kind does not take it for a success (gRPC over HTTP/2, "Requests").
                *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            }
            if let Ok(id) = HeaderValue::from_str(&record.id) {
                response.headers_mut().insert(REQUEST_ID, id);
            }
            if record.code == Code::Ok && STREAMS.contains(&record.rpc) {
                record.code = Code::Cancelled;
                let ended = move |code| record.end(code);
                response = response.map(|body| Body::new(Recorded::new(body, ended)));
            }
            Ok(response)
        })
    }
}

// === impl Record ===

impl Record {
    /// The request has ended so.
    fn end(mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        let model = self.call.model.get().cloned().unwrap_or_default();
        let code = code_name(self.code);
        self.shared
            .metrics
            .request_ended(self.rpc, &model, code, took);
        self.shared.lifecycle.leave();
        let (request_id, rpc, model) = (self.id.as_str(), self.rpc, &*model);
        let took_us = took.as_micros() as u64;
        // What is our fault is always worth a line (the cause has one of its own, with the error's id); what is the
        // caller's, or load, is in the metrics and in the log at debug.
        if matches!(self.code, Code::Internal | Code::Unknown | Code::DataLoss) {
            tracing::error!(request_id, rpc, model, code, took_us, "request failed");
        } else {
            tracing::debug!(request_id, rpc, model, code, took_us, "request");
        }
    }
}

/// Refuses requests of other protocols.
fn media_type(headers: &HeaderMap) -> Result<(), ServeError> {
    let given = headers.get(header::CONTENT_TYPE);
    if given.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc")) {
        return Ok(());
    }
    let given = given.map_or(&b""[..], HeaderValue::as_bytes);
    let words = format!("is `{}`; application/grpc is needed", given.escape_ascii());
    Err(ServeError::invalid("content-type", words))
}

/// The `grpc-timeout` header (gRPC over HTTP/2, "Requests"): at most 8 digits and a unit.
fn grpc_timeout(headers: &HeaderMap) -> Result<Option<Duration>, ServeError> {
    let Some(value) = headers.get("grpc-timeout") else {
        return Ok(None);
    };
    let parse = || {
        let text = value.to_str().ok()?;
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        if digits.is_empty()
            || digits.len() > 8
            || !digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            return None;
        }
        let amount: u64 = digits.parse().ok()?;
        Some(match unit {
            "H" => Duration::from_secs(amount * 3600),
            "M" => Duration::from_secs(amount * 60),
            "S" => Duration::from_secs(amount),
            "m" => Duration::from_millis(amount),
            "u" => Duration::from_micros(amount),
            "n" => Duration::from_nanos(amount),
            _ => return None,
        })
    };
    parse().map(Some).ok_or_else(|| {
        let words = format!("is {value:?}; 1 to 8 digits and one of H, M, S, m, u, n are allowed");
        ServeError::invalid("grpc-timeout", words)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Duration>, ServeError> {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", text.parse().unwrap());
        grpc_timeout(&headers)
    }

    #[test]
    fn timeouts() {
        assert_eq!(grpc_timeout(&HeaderMap::new()), Ok(None));
        for (text, expected) in [
            ("2H", Duration::from_hours(2)),
            ("3M", Duration::from_mins(3)),
            ("99999999S", Duration::from_secs(99_999_999)),
            ("250m", Duration::from_millis(250)),
            ("7u", Duration::from_micros(7)),
            ("0n", Duration::ZERO),
        ] {
            assert_eq!(parse(text), Ok(Some(expected)), "{text}");
        }
        for text in ["", "S", "5", "5s", "-1S", "123456789S", "1.5S", "1 S"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
