//! A row of the table of calls: an RPC's path, how it is carried, and its function.

use std::fmt;
use std::future::ready;

use futures_util::stream::{BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use h2::RecvStream;
use http::{Request, Response};
use prost::Message;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::service::Routes;
use tonic::{Code, Status, Streaming};
use tower::{Service as _, service_fn};

use super::codec::Bounded;
use super::endless::UntilDrained;
use super::exchange::{Answering, Reply, RequestBody};
use super::headers::check_encoding;
use super::record::Record;
use super::status::{has_error_id, status};
use super::{stream, unary};
use crate::call::Call;
use crate::error::ServeError;

/// One RPC. Messages are those of prost: see [`Message`].
pub struct Rpc {
    /// `/package.Service/Method`.
    pub(super) path: &'static str,
    /// Carries a request to the function, and its answer back.
    pub(super) carry: Box<dyn Fn(Record, Request<RecvStream>) -> Answering + Send + Sync>,
}

/// How a stream of requests is read and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Items {
    /// Whether the answers come in the order of the requests, rather than as soon as they are done.
    pub in_order: bool,
    /// The field of a message that holds the request with its lists; `None`: the message itself.
    pub request_field: Option<u32>,
}

// === impl Rpc ===

impl Rpc {
    /// One message each way. A server that drains refuses it.
    pub fn unary<M, A, W>(
        path: &'static str,
        answer: impl Fn(Call, M) -> W + Clone + Send + Sync + 'static,
    ) -> Self
    where
        M: Message + Default + 'static,
        A: Message + 'static,
        W: Future<Output = Result<A, ServeError>> + Send + 'static,
    {
        Self::one_message(path, Call::check_accepting, answer)
    }

    /// One message each way, answered without waiting. A server that drains answers it too.
    pub fn query<M, A>(
        path: &'static str,
        answer: impl Fn(&Call, &M) -> Result<A, ServeError> + Clone + Send + Sync + 'static,
    ) -> Self
    where
        M: Message + Default + 'static,
        A: Message + 'static,
    {
        let answer = move |call, message| ready(answer(&call, &message));
        Self::one_message(path, |_| Ok(()), answer)
    }

    /// One message in, many out. A server that drains refuses it.
    pub fn server_streaming<M, A, S>(
        path: &'static str,
        answer: impl Fn(Call, M) -> Result<S, ServeError> + Clone + Send + Sync + 'static,
    ) -> Self
    where
        M: Message + Default + 'static,
        A: Message + 'static,
        S: Stream<Item = Result<A, ServeError>> + Send + 'static,
    {
        let carry = move |call: Call, request| {
            let answer = answer.clone();
            async move {
                let mut codec = codec::<A, M>(&call, None);
                let answer = move |request: tonic::Request<M>| {
                    let accepted = call.check_accepting();
                    let answers =
                        accepted.and_then(|()| answer(call.clone(), request.into_inner()));
                    let answers = answers.map(|answers| answers.map_err(|error| status(&error)));
                    ready(respond(answers))
                };
                codec.server_streaming(service_fn(answer), request).await
            }
        };
        Self::by_tonic(path, carry, Record::end_with_stream)
    }

    /// Many messages each way, each of which is answered by one. A server that drains refuses the
    /// call, and ends an open one when it has answered what it has read.
    pub fn bidirectional<M, A, W>(
        path: &'static str,
        items: Items,
        answer: impl Fn(Call, M) -> W + Clone + Send + Sync + Unpin + 'static,
    ) -> Self
    where
        M: Message + Default + 'static,
        A: Message + 'static,
        W: Future<Output = A> + Send + 'static,
    {
        let carry = move |call: Call, request| {
            let answer = answer.clone();
            async move {
                let mut codec = codec::<A, M>(&call, items.request_field);
                let answer = move |requests: tonic::Request<Streaming<M>>| {
                    let answers = call.check_accepting().map(|()| {
                        let (answer, item_call) = (answer.clone(), call.clone());
                        let answer = move |item| answer(item_call.clone(), item);
                        stream::answers(requests.into_inner(), &call, items.in_order, answer)
                    });
                    ready(respond(answers))
                };
                codec.streaming(service_fn(answer), request).await
            }
        };
        Self::by_tonic(path, carry, Record::end_with_stream)
    }

    /// A call of one of tonic's own services that has one answer.
    pub(super) fn tonic(path: &'static str, routes: &Routes) -> Self {
        Self::by_tonic(path, route(routes), Record::end_with)
    }

    /// A call of one of tonic's own services whose answers end only when the caller wants it, or
    /// when the server drains.
    pub(super) fn endless(path: &'static str, routes: &Routes) -> Self {
        Self::by_tonic(path, route(routes), |record, (mut response, code)| {
            if let Reply::Tonic(body) = response.body_mut() {
                let drained = record.call().context().lifecycle.drained();
                let endless = UntilDrained::new(std::mem::take(body), drained);
                *body = Body::new(endless);
            }
            record.end_with((response, code))
        })
    }

    /// The name of the call's service.
    pub(super) fn service(&self) -> &'static str {
        let service = self.path.trim_start_matches('/').split('/').next();
        service.unwrap_or_default()
    }

    fn one_message<M, A, W>(
        path: &'static str,
        check: fn(&Call) -> Result<(), ServeError>,
        answer: impl Fn(Call, M) -> W + Clone + Send + Sync + 'static,
    ) -> Self
    where
        M: Message + Default + 'static,
        A: Message + 'static,
        W: Future<Output = Result<A, ServeError>> + Send + 'static,
    {
        let carry = move |record: Record, request: Request<RecvStream>| -> Answering {
            if let Err(refusal) = check_encoding(request.headers()) {
                return Box::pin(ready(record.end_with(unary::refuse_as(refusal))));
            }
            let body = request.into_body();
            Box::pin(carry_message(record, body, check, answer.clone()))
        };
        Self {
            path,
            carry: Box::new(carry),
        }
    }

    /// `end` tells the record how the call has ended, as far as the headers of the answer say.
    fn by_tonic<W>(
        path: &'static str,
        answer: impl Fn(Call, Request<Body>) -> W + Send + Sync + 'static,
        end: fn(Record, (Response<Reply>, Code)) -> Response<Reply>,
    ) -> Self
    where
        W: Future<Output = Response<Body>> + Send + 'static,
    {
        let carry = move |record: Record, request: Request<RecvStream>| -> Answering {
            let request = request.map(|body| Body::new(RequestBody(body)));
            let max_message_size = record.call().context().max_message_size;
            let answering = answer(record.call().clone(), request);
            Box::pin(async move {
                let response = answering.await;
                end(record, blame_caller(response, max_message_size))
            })
        };
        Self {
            path,
            carry: Box::new(carry),
        }
    }
}

impl fmt::Debug for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rpc").field(&self.path).finish()
    }
}

/// Answers a request straight from the frames of HTTP/2.
async fn carry_message<M, A, W>(
    record: Record,
    body: RecvStream,
    check: fn(&Call) -> Result<(), ServeError>,
    answer: impl FnOnce(Call, M) -> W,
) -> Response<Reply>
where
    M: Message + Default,
    A: Message,
    W: Future<Output = Result<A, ServeError>>,
{
    let call = record.call();
    let limit = call.context().max_message_size;
    let message = unary::message(body, limit, call.deadline()).await;
    let outcome = match message.and_then(|message| check(call).map(|()| message)) {
        Ok(message) => answer(call.clone(), message).await,
        Err(error) => Err(error),
    };
    record.end_with(unary::answer(outcome))
}

/// tonic's carrier with a decoder that measures messages first.
fn codec<A, M>(call: &Call, request_field: Option<u32>) -> Grpc<Bounded<A, M>>
where
    M: Message + Default + 'static,
    A: Message + 'static,
{
    let max_message_size = call.context().max_message_size;
    Grpc::new(Bounded::new(request_field))
        .apply_max_message_size_config(Some(max_message_size), None)
}

fn respond<A>(
    answers: Result<impl Stream<Item = Result<A, Status>> + Send + 'static, ServeError>,
) -> Result<tonic::Response<BoxStream<'static, Result<A, Status>>>, Status> {
    match answers {
        Ok(answers) => Ok(tonic::Response::new(answers.boxed())),
        Err(error) => Err(status(&error)),
    }
}

/// What passes a request on to tonic's own services.
fn route(
    routes: &Routes,
) -> impl Fn(Call, Request<Body>) -> futures_util::future::BoxFuture<'static, Response<Body>>
+ Send
+ Sync
+ 'static {
    let routes = routes.clone();
    move |_, request| {
        // The router is always ready.
        let answering = routes.clone().call(request);
        Box::pin(async move { answering.await.unwrap_or_else(|error| match error {}) })
    }
}

/// tonic's answer and its code. The codec's words on a message that it cannot read come with codes
/// that blame the server; the caller is told INVALID_ARGUMENT instead.
fn blame_caller(response: Response<Body>, max_message_size: usize) -> (Response<Reply>, Code) {
    let failure = Status::from_header_map(response.headers());
    let problem = match &failure {
        Some(failure) if failure.code() == Code::OutOfRange => {
            format!("is too large; at most {max_message_size} bytes (max_message_size) are allowed")
        }
        Some(failure) if failure.code() == Code::Internal && !has_error_id(failure) => {
            format!("cannot be read: {}", failure.message())
        }
        _ => {
            let code = failure.map_or(Code::Ok, |failure| failure.code());
            return (response.map(Reply::Tonic), code);
        }
    };
    unary::refuse(&ServeError::invalid("request", problem))
}
