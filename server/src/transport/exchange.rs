//! One request and its answer, between the frames of HTTP/2 and the handler.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

use super::exchanges::{Exchange, Exchanges};
use super::outgoing::{self, Outgoing};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The answer to a request, as far as its headers.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Response<Reply>> + Send>>;

/// What follows the headers of an answer.
pub(crate) enum Reply {
    /// Nothing: the headers hold the status.
    Nothing,
    /// One message with its prefix, then the status OK.
    Message(Bytes),
    /// Frames as they come.
    Stream(Box<dyn Outgoing>),
}

impl Reply {
    /// An answer that begins with gRPC's headers.
    pub(crate) fn into_response(self) -> Response<Self> {
        let mut response = Response::new(self);
        let grpc = HeaderValue::from_static("application/grpc");
        response.headers_mut().insert(header::CONTENT_TYPE, grpc);
        response
    }
}

/// Answers a request. An answer that is ready at once, such as a refusal, needs no task.
pub(super) fn answer(
    mut answering: Answering,
    mut respond: SendResponse<Bytes>,
    exchanges: &Arc<Exchanges>,
) {
    // The task below polls again, with a waker.
    let mut context = Context::from_waker(Waker::noop());
    match poll_answer(&mut answering, &mut respond, &mut context) {
        Poll::Ready(None) => {}
        Poll::Ready(Some(rest)) => {
            let exchange = exchanges.begin();
            tokio::spawn(async move { rest.send(&exchange).await });
        }
        Poll::Pending => {
            tokio::spawn(answer_later(answering, respond, exchanges.begin()));
        }
    }
}

/// Waits for the answer and sends it.
async fn answer_later(
    mut answering: Answering,
    mut respond: SendResponse<Bytes>,
    exchange: Exchange,
) {
    let sent = std::future::poll_fn(|context| poll_answer(&mut answering, &mut respond, context));
    if let Some(rest) = sent.await {
        // Boxed, because most answers have no rest.
        Box::pin(rest.send(&exchange)).await;
    }
}

/// Ready when the answer is sent, with the rest of it that is still to be sent, or when the caller
/// has left.
fn poll_answer(
    answering: &mut Answering,
    respond: &mut SendResponse<Bytes>,
    context: &mut Context<'_>,
) -> Poll<Option<Rest>> {
    // First, so that nothing runs for a caller that has left.
    if respond.poll_reset(context).is_ready() {
        return Poll::Ready(None);
    }
    // A panic must not end the other requests of the connection.
    let polled = catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(context)));
    let Ok(polled) = polled else {
        respond.send_reset(Reason::INTERNAL_ERROR);
        return Poll::Ready(None);
    };
    polled.map(|response| send(respond, response))
}

/// What is to be sent after an answer's headers.
struct Rest {
    answer: Box<dyn Outgoing>,
    stream: SendStream<Bytes>,
}

/// Sends what is there of an answer, and returns the rest.
fn send(respond: &mut SendResponse<Bytes>, response: Response<Reply>) -> Option<Rest> {
    let (head, reply) = response.into_parts();
    let head = Response::from_parts(head, ());
    let sent = match reply {
        Reply::Nothing => respond.send_response(head, true).map(|_| None),
        // The message is in memory anyway, so h2 may buffer what exceeds the caller's window.
        Reply::Message(message) => respond.send_response(head, false).and_then(|mut stream| {
            stream.send_data(message, false)?;
            let mut trailers = HeaderMap::with_capacity(1);
            trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
            stream.send_trailers(trailers)?;
            Ok(None)
        }),
        Reply::Stream(answer) => respond
            .send_response(head, false)
            .map(|stream| Some(Rest { answer, stream })),
    };
    sent.unwrap_or_else(|error| {
        log_untaken(&error);
        None
    })
}

impl Rest {
    async fn send(self, exchange: &Exchange) {
        if let Err(error) = outgoing::send(self.answer, self.stream, exchange).await {
            log_untaken(&error);
        }
    }
}

fn log_untaken(error: &h2::Error) {
    tracing::debug!(%error, "an answer was not taken");
}
