//! Around every call: its request id, its deadline, its place in the metrics and the log.

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;

use h2::RecvStream;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
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
use super::exchange::{Reply, RequestBody};
use super::inference::{Inference, WRAPPED_REQUEST};
use super::open_inference::OpenInference;
use super::recorded::Recorded;
use super::rpc::{self, Kind, Rpc};
use super::status::{code_name, is_ours};
use super::unary;
use crate::busy_poll::{self, UnderWay};
use crate::error::ServeError;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::request_id;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

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

/// A call's answer, as far as its headers.
pub(super) type Answering = Pin<Box<dyn Future<Output = Response<Reply>> + Send>>;

/// Counts the request out however it ends; one that is dropped before its end was cancelled by the caller.
struct Record {
    shared: Arc<Shared>,
    call: Call,
    rpc: &'static Rpc,
    /// The caller's own, or ours once there is something to tell of.
    id: Option<String>,
    started: Instant,
    code: Code,
    under_way: Option<UnderWay>,
}

// === impl Observe ===

impl Observe {
    pub(super) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// Begins a call, of whose body nothing has been read; whoever holds the answer holds no more than it needs.
    pub(super) fn call(&self, request: Request<RecvStream>) -> Answering {
        let started = Instant::now();
        let shared = Arc::clone(&self.0);
        shared.lifecycle.enter();
        shared.metrics.request_started();
        let headers = request.headers();
        let given = headers
            .get(REQUEST_ID)
            .and_then(|value| value.to_str().ok())
            .and_then(request_id::accept);
        let media_type = check_media_type(headers);
        let is_grpc = media_type.is_ok();
        let begun = media_type.and_then(|()| Call::begin(headers, started));
        let (call, refusal) = match begun {
            Ok(call) => (call, None),
            Err(error) => (Call::default(), Some(error)),
        };
        let record = Record {
            call,
            rpc: rpc::find(request.uri().path()),
            id: given.map(str::to_owned),
            started,
            code: Code::Cancelled,
            under_way: Some(busy_poll::enter(started)),
            shared,
        };
        if let Some(error) = refusal {
            let mut refused = record.end_with(unary::refuse(&error));
            if !is_grpc {
                // So that a client of another kind does not take it for a success (gRPC over HTTP/2, "Requests").
                *refused.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            }
            return Box::pin(ready(refused));
        }
        // What is compressed is tonic's to refuse.
        if !unary::is_plain(headers) {
            return Box::pin(record.route(Kind::Plain, request));
        }
        match record.rpc.kind {
            Kind::Classify => Box::pin(
                record.carry(request.into_body(), async |shared, call, message| {
                    shared.inference.classify(call, message).await
                }),
            ),
            Kind::SentimentScore => Box::pin(
                record.carry(request.into_body(), async |shared, call, message| {
                    shared.inference.sentiment(call, message).await
                }),
            ),
            Kind::ModelInfer => Box::pin(
                record.carry(request.into_body(), async |shared, call, message| {
                    shared.open_inference.infer(call, message).await
                }),
            ),
            Kind::GenerateDigits => Box::pin(
                record.carry(request.into_body(), async |shared, call, message| {
                    shared.inference.generate(call, message).await
                }),
            ),
            kind => Box::pin(record.route(kind, request)),
        }
    }
}

// === impl Shared ===

impl Shared {
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
        kind: Kind,
        call: Call,
        request: Request<RecvStream>,
    ) -> (Response<Reply>, Code) {
        let mut request = request.map(|body| Body::new(RequestBody(body)));
        request.extensions_mut().insert(call);
        let response = match kind {
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
        let response = response.map(|body| match kind {
            Kind::Endless => Body::new(UntilDrained::new(body, self.lifecycle.drained())),
            _ => body,
        });
        (response.map(Reply::Tonic), code)
    }
}

// === impl Record ===

impl Record {
    /// Answers straight from HTTP/2.
    async fn carry<M, A>(
        self,
        body: RecvStream,
        answer: impl AsyncFnOnce(&Shared, &Call, M) -> Result<A, ServeError>,
    ) -> Response<Reply>
    where
        M: Message + Default,
        A: Message,
    {
        let (limit, deadline) = (self.shared.max_message_size, self.call.deadline);
        let outcome = match unary::message(body, limit, deadline).await {
            Ok(message) => answer(&self.shared, &self.call, message).await,
            Err(error) => Err(error),
        };
        self.end_with(unary::answer(outcome))
    }

    /// Answers by tonic.
    async fn route(self, kind: Kind, request: Request<RecvStream>) -> Response<Reply> {
        let answer = self.shared.route(kind, self.call.clone(), request).await;
        self.end_with(answer)
    }

    /// The answer is there, or of a stream its headers, with how the call ended as far as they tell.
    fn end_with(mut self, (mut response, code): (Response<Reply>, Code)) -> Response<Reply> {
        if code != Code::Ok && self.id.is_none() {
            self.id = Some(request_id::next());
        }
        if let Some(id) = &self.id
            && let Ok(mut id) = HeaderValue::from_str(id)
        {
            // Each is another: none is worth a place among the headers that both sides remember (HPACK).
            id.set_sensitive(true);
            response.headers_mut().insert(REQUEST_ID, id);
        }
        if code == Code::Ok
            && self.rpc.kind.is_stream()
            && let Reply::Tonic(body) = response.body_mut()
        {
            self.under_way = None;
            let stream = std::mem::take(body);
            *body = Body::new(Recorded::new(stream, move |code| self.end(code)));
        } else {
            self.code = code;
        }
        response
    }

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
