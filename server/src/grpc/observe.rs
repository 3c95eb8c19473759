//! Around every call: its request id, its deadline, its place in the metrics and the log.

use std::convert::Infallible;
use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use prost::Message;
use quintet_proto::inference::grpc_inference_service_server::GrpcInferenceService as _;
use quintet_proto::v1::inference_service_server::InferenceService as _;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::codegen::BoxStream;
use tonic::server::Grpc;
use tonic::service::Routes;
use tonic::{Code, Status, Streaming};
use tower::{Service as _, service_fn};

use super::call::{Call, check_media_type};
use super::codec::Bounded;
use super::endless::UntilDrained;
use super::inference::{Inference, WRAPPED_REQUEST};
use super::open_inference::OpenInference;
use super::recorded::Recorded;
use super::rpc::{self, Kind, Rpc};
use super::status::{code_name, is_ours};
use super::unary::{self, Reply};
use crate::busy_poll;
use crate::error::ServeError;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::request_id;

const REQUEST_ID: &str = "x-request-id";

/// Everything that answers calls. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Observe(Arc<Shared>);

/// What answers, and what is told of it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) inference: Arc<Inference>,
    pub(super) open_inference: Arc<OpenInference>,
    /// Every call, by tonic.
    pub(super) routes: Routes,
    pub(super) lifecycle: Arc<Lifecycle>,
    pub(super) metrics: Metrics,
    pub(super) max_message_size: usize,
}

/// Counts the request out however it ends; one that is dropped before its end was cancelled by the caller.
struct Record {
    shared: Arc<Shared>,
    call: Call,
    rpc: &'static Rpc,
    /// The caller's own, or ours once there is something to tell of.
    id: Option<String>,
    started: Instant,
    code: Code,
}

// === impl Observe ===

impl Observe {
    pub(super) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// Answers one call.
    pub(super) async fn call(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Reply>, Infallible> {
        let started = Instant::now();
        let _under_way = busy_poll::enter(started);
        let Self(shared) = self;
        let headers = request.headers();
        let given = headers
            .get(REQUEST_ID)
            .and_then(|value| value.to_str().ok())
            .and_then(request_id::accept);
        let media_type = check_media_type(headers);
        let is_grpc = media_type.is_ok();
        let call = media_type.and_then(|()| Call::begin(headers, started));
        shared.lifecycle.enter();
        shared.metrics.request_started();
        let mut record = Record {
            call: call.clone().unwrap_or_default(),
            rpc: rpc::find(request.uri().path()),
            id: given.map(str::to_owned),
            started,
            code: Code::Cancelled,
            shared,
        };
        let (mut response, code) = match call {
            Ok(call) => record.shared.answer(record.rpc, call, request).await,
            Err(error) => unary::refuse(&error),
        };
        record.code = code;
        if !is_grpc {
            // So that a client of another kind does not take it for a success (gRPC over HTTP/2, "Requests").
            *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        }
        if record.code != Code::Ok {
            record.id.get_or_insert_with(request_id::next);
        }
        if let Some(id) = &record.id
            && let Ok(id) = HeaderValue::from_str(id)
        {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        if record.code == Code::Ok && record.rpc.kind.is_stream() {
            record.code = Code::Cancelled;
            let ended = move |code| record.end(code);
            response = response.map(|body| Reply::Tonic(Body::new(Recorded::new(body, ended))));
        }
        Ok(response)
    }
}

// === impl Shared ===

impl Shared {
    /// An answer, and how the call ended as far as its headers tell.
    async fn answer(
        &self,
        rpc: &Rpc,
        call: Call,
        request: Request<Incoming>,
    ) -> (Response<Reply>, Code) {
        let inference = &self.inference;
        let kind = if unary::is_plain(request.headers()) {
            rpc.kind
        } else {
            // What is compressed is tonic's to refuse.
            Kind::Plain
        };
        match kind {
            Kind::Classify => {
                let answer = async |message| inference.classify(&call, message).await;
                self.carry(&call, request, answer).await
            }
            Kind::SentimentScore => {
                let answer = async |message| inference.sentiment(&call, message).await;
                self.carry(&call, request, answer).await
            }
            Kind::ModelInfer => {
                let answer = async |message| self.open_inference.infer(&call, message).await;
                self.carry(&call, request, answer).await
            }
            // Boxed, as the next, so that the others' futures are not as large as these.
            Kind::GenerateDigits => {
                let answer = async |message| inference.generate(&call, message).await;
                Box::pin(self.carry(&call, request, answer)).await
            }
            Kind::ClassifyStream
            | Kind::ModelStreamInfer
            | Kind::Plain
            | Kind::Stream
            | Kind::Endless => Box::pin(self.route(rpc, call, request)).await,
        }
    }

    /// Straight from HTTP/2.
    async fn carry<M, A>(
        &self,
        call: &Call,
        request: Request<Incoming>,
        answer: impl AsyncFnOnce(M) -> Result<A, ServeError>,
    ) -> (Response<Reply>, Code)
    where
        M: Message + Default,
        A: Message,
    {
        let (body, limit) = (request.into_body(), self.max_message_size);
        unary::carry(body, limit, call.deadline, answer).await
    }

    /// By tonic, but for the messages' decoder; their lists are in field `inner`, or at the top level.
    async fn stream<M, A, W>(
        &self,
        inner: Option<u32>,
        request: Request<Body>,
        answer: impl FnMut(tonic::Request<Streaming<M>>) -> W + Send,
    ) -> Response<Body>
    where
        M: Message + Default + 'static,
        A: Message + 'static,
        W: Future<Output = Result<tonic::Response<BoxStream<A>>, Status>> + Send,
    {
        Grpc::new(Bounded::<A, M>::new(inner))
            .apply_max_message_size_config(Some(self.max_message_size), None)
            .streaming(service_fn(answer), request)
            .await
    }

    /// By tonic.
    async fn route(
        &self,
        rpc: &Rpc,
        call: Call,
        request: Request<Incoming>,
    ) -> (Response<Reply>, Code) {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(call);
        let response = match rpc.kind {
            Kind::ClassifyStream => {
                let inference = Arc::clone(&self.inference);
                let answer = move |requests| {
                    let inference = Arc::clone(&inference);
                    async move { inference.classify_stream(requests).await }
                };
                self.stream(Some(WRAPPED_REQUEST), request, answer).await
            }
            Kind::ModelStreamInfer => {
                let open_inference = Arc::clone(&self.open_inference);
                let answer = move |requests| {
                    let open_inference = Arc::clone(&open_inference);
                    async move { open_inference.model_stream_infer(requests).await }
                };
                self.stream(None, request, answer).await
            }
            // Not the router's own readiness: it has none.
            _ => {
                let answered = self.routes.clone().call(request).await;
                answered.unwrap_or_else(|error| match error {})
            }
        };
        let failure = Status::from_header_map(response.headers());
        // What the codec says of a message that it cannot read, in codes that would blame the server.
        let unread = match &failure {
            Some(failure) if failure.code() == Code::OutOfRange => {
                let limit = self.max_message_size;
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
            return unary::refuse(&ServeError::invalid("request", words));
        }
        let code = failure.as_ref().map_or(Code::Ok, Status::code);
        let response = response.map(|body| match rpc.kind {
            Kind::Endless => Body::new(UntilDrained::new(body, self.lifecycle.drained())),
            _ => body,
        });
        (response.map(Reply::Tonic), code)
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
        let model = self.call.model();
        let rpc = self.rpc.path;
        let code = code_name(self.code);
        self.shared.metrics.request_ended(rpc, &model, code, took);
        self.shared.lifecycle.leave();
        let (request_id, model) = (self.id.as_deref(), &*model);
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
