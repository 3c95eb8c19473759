//! A row of the table of calls: an RPC's path, how it is carried, and its function.

use std::fmt;
use std::future::ready;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{Stream, StreamExt as _};
use http::{Request, Response};
use prost::Message;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::Service as _;

use super::endless::until_drained;
use super::layout::Layout;
use super::record::Record;
use super::status::not_offered;
use super::{messages, refusal, stream, stream_body};
use crate::call::Call;
use crate::error::ServeError;
use crate::tokens::{Access, Scope};
use crate::transport::{Answering, Charge, Encoding, Encodings, Inbox, Incoming, Reply};

/// One RPC. Messages are those of prost: see [`Message`].
pub struct Rpc {
    /// `/package.Service/Method`.
    pub(super) path: &'static str,
    /// Who may call it.
    pub(super) access: Access,
    /// Carries a request to the function, and its answer back.
    pub(super) carry: Box<dyn Fn(Record, Request<Incoming>) -> Answering + Send + Sync>,
}

/// How a stream of requests is read and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Items {
    /// Whether the answers come in the order of the requests, rather than as soon as they are done.
    pub in_order: bool,
}

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
        Self::one_message(path, |_| Ok(()), answer).needs(Access::Known)
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
        let layout = Layout::of_request(path);
        Self::direct(path, move |record, body, encodings| {
            let answer = answer.clone();
            Box::pin(async move {
                let call = &record.call;
                let message = messages::only(body, call, layout, encodings.request).await;
                let answers = message.and_then(|(message, _)| {
                    call.check_accepting()?;
                    Ok(answer(call.clone(), message)?.boxed())
                });
                stream_body::answer(record, answers, None, encodings.response)
            })
        })
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
        let layout = Layout::of_request(path);
        Self::direct(path, move |record, body, encodings| {
            let call = &record.call;
            let inbox = body.into_inbox(call.context().budget);
            let answers = call.check_accepting().map(|()| {
                let requests = messages::all(inbox.clone(), call, layout, encodings.request);
                let (answer, item_call) = (answer.clone(), call.clone());
                let answer = move |(item, charge)| {
                    let answer = answer(item_call.clone(), item);
                    async move {
                        let _charge: Charge = charge;
                        answer.await
                    }
                };
                stream::answers(requests, call, items.in_order, answer)
            });
            let response = stream_body::answer(record, answers, Some(inbox), encodings.response);
            Box::pin(ready(response))
        })
    }

    /// A call of one of tonic's own services that has one answer.
    pub(super) fn tonic(path: &'static str, routes: &Routes) -> Self {
        Self::by_tonic(path, routes, |body, _| body)
    }

    /// A call of one of tonic's own services whose answers end only when the caller wants it, or
    /// when the server drains.
    pub(super) fn endless(path: &'static str, routes: &Routes) -> Self {
        Self::by_tonic(path, routes, |body, call| {
            until_drained(body, call.context().lifecycle.drained())
        })
    }

    /// The same with what it needs of its caller. Otherwise a query needs any known caller, and
    /// everything else the scope `infer`.
    #[must_use]
    pub fn needs(self, access: Access) -> Self {
        Self { access, ..self }
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
        let layout = Layout::of_request(path);
        Self::direct(path, move |record, body, encodings| {
            let answer = answer.clone();
            Box::pin(async move {
                let call = &record.call;
                let message = messages::only(body, call, layout, encodings.request).await;
                let outcome = match message.and_then(|message| check(call).map(|()| message)) {
                    Ok((message, _charge)) => answer(call.clone(), message).await,
                    Err(error) => Err(error),
                };
                let data = outcome.map(|message| {
                    let mut data = BytesMut::new();
                    messages::encode(&message, &mut data);
                    data
                });
                match (data, encodings.response) {
                    (Ok(data), None) => record.end_with(one(data.freeze(), None)),
                    // Boxed to keep the futures of other calls small.
                    (Ok(data), Some(encoding)) => Box::pin(compress(record, data, encoding)).await,
                    (Err(error), _) => record.end_with_error(&error),
                }
            })
        })
    }

    /// Straight from the frames of HTTP/2, if the encoding of the messages is offered.
    fn direct(
        path: &'static str,
        carry: impl Fn(Record, Incoming, Encodings) -> Answering + Send + Sync + 'static,
    ) -> Self {
        Self {
            path,
            access: Access::Scope(Scope::Infer),
            carry: Box::new(move |record, request| match agree(&record, &request) {
                Ok(encodings) => carry(record, request.into_body(), encodings),
                Err(status) => Box::pin(ready(record.end_with(refusal::refuse_as(status)))),
            }),
        }
    }

    /// By tonic's own services. `change` may change the body of the answer.
    fn by_tonic(path: &'static str, routes: &Routes, change: fn(Body, &Call) -> Body) -> Self {
        let routes = routes.clone();
        let carry = move |record: Record, request: Request<Incoming>| -> Answering {
            let encodings = match agree(&record, &request) {
                Ok(encodings) => encodings,
                Err(status) => {
                    return Box::pin(ready(record.end_with(refusal::refuse_as(status))));
                }
            };
            // The router is always ready.
            let mut routes = routes.clone();
            let (mut head, body) = request.into_parts();
            Encodings::remove(&mut head.headers);
            let inbox = body.into_inbox(record.call.context().budget);
            let body = messages::for_tonic(inbox.clone(), &record.call, encodings.request);
            let answering = routes.call(Request::from_parts(head, body));
            Box::pin(async move {
                let response = answering.await.unwrap_or_else(|error| match error {});
                let response = response.map(|body| change(body, &record.call));
                record.end_with(blame_caller(response, inbox))
            })
        };
        Self {
            path,
            access: Access::Known,
            carry: Box::new(carry),
        }
    }
}

impl fmt::Debug for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rpc").field(&self.path).finish()
    }
}

/// # Errors
/// The encoding of the request is not offered.
fn agree(record: &Record, request: &Request<Incoming>) -> Result<Encodings, Status> {
    let when = record.call.context().response_compression;
    Encodings::agree(request.headers(), when).map_err(not_offered)
}

/// The one message of an answer.
fn one(data: Bytes, encoding: Option<Encoding>) -> (Response<Reply>, Code) {
    let mut response = Reply::Message(data).into_response();
    if let Some(encoding) = encoding {
        encoding.write(response.headers_mut());
    }
    (response, Code::Ok)
}

/// The one message of an answer, compressed.
async fn compress(record: Record, data: BytesMut, encoding: Encoding) -> Response<Reply> {
    match messages::compress(data, encoding, &record.call).await {
        Ok(data) => record.end_with(one(data, Some(encoding))),
        Err(error) => record.end_with_error(&error),
    }
}

/// tonic's answer and its code. tonic blames the server for a message that it cannot read; the
/// caller is told INVALID_ARGUMENT instead.
fn blame_caller(response: Response<Body>, inbox: Inbox) -> (Response<Reply>, Code) {
    match Status::from_header_map(response.headers()) {
        Some(failure) if matches!(failure.code(), Code::Internal | Code::OutOfRange) => {
            let words = format!("cannot be read: {}", failure.message());
            refusal::refuse(&ServeError::invalid("request", words))
        }
        failure => {
            let code = failure.map_or(Code::Ok, |failure| failure.code());
            (
                response.map(|body| stream_body::by_tonic(body, inbox)),
                code,
            )
        }
    }
}
