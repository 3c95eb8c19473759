//! One request and its answer, between the frames of HTTP/2 and the handler.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use http_body::Body as _;
use http_body_util::combinators::UnsyncBoxBody;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The answer to a request, as far as its headers.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Response<Reply>> + Send>>;

/// Messages in their frames, then trailers.
pub(crate) type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// What follows the headers of an answer.
pub(crate) enum Reply {
    /// Nothing: the headers hold the status.
    Nothing,
    /// One message with its prefix, then the status OK.
    Message(Bytes),
    /// A body.
    Stream(Body),
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
pub(super) fn answer(mut answering: Answering, mut respond: SendResponse<Bytes>) {
    // The task below polls again, with a waker.
    let mut context = Context::from_waker(Waker::noop());
    match poll_answer(&mut answering, &mut respond, &mut context) {
        Poll::Ready(None) => {}
        Poll::Ready(Some(rest)) => {
            tokio::spawn(rest);
        }
        Poll::Pending => {
            tokio::spawn(answer_later(answering, respond));
        }
    }
}

/// Waits for the answer and sends it.
async fn answer_later(mut answering: Answering, mut respond: SendResponse<Bytes>) {
    let sent = std::future::poll_fn(|context| poll_answer(&mut answering, &mut respond, context));
    if let Some(rest) = sent.await {
        // Boxed, because most answers have no rest.
        Box::pin(rest).await;
    }
}

/// Ready when the answer is sent, with the rest of it that is still to be sent, or when the caller
/// has left.
fn poll_answer(
    answering: &mut Answering,
    respond: &mut SendResponse<Bytes>,
    context: &mut Context<'_>,
) -> Poll<Option<impl Future<Output = ()> + Send + use<>>> {
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

/// Sends what is there of an answer, and returns what sends the rest.
fn send(
    respond: &mut SendResponse<Bytes>,
    response: Response<Reply>,
) -> Option<impl Future<Output = ()> + Send + use<>> {
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
        Reply::Stream(body) if body.is_end_stream() => {
            respond.send_response(head, true).map(|_| None)
        }
        Reply::Stream(body) => respond
            .send_response(head, false)
            .map(|stream| Some((body, stream))),
    };
    let log_untaken = |error: h2::Error| tracing::debug!(%error, "an answer was not taken");
    let (body, stream) = sent.map_err(log_untaken).ok()??;
    Some(async move {
        if let Err(error) = pump(body, stream).await {
            log_untaken(error);
        }
    })
}

/// Sends a body as fast as it comes and the caller's window allows.
async fn pump(mut body: Body, mut stream: SendStream<Bytes>) -> Result<(), h2::Error> {
    loop {
        let frame = std::future::poll_fn(|context| {
            if let Poll::Ready(reset) = stream.poll_reset(context) {
                return Poll::Ready(Err(reset.map_or_else(|error| error, h2::Error::from)));
            }
            Pin::new(&mut body).poll_frame(context).map(Ok)
        });
        let frame = match frame.await? {
            Some(Ok(frame)) => frame,
            Some(Err(failure)) => {
                tracing::debug!(%failure, "an answer was broken off");
                stream.send_reset(Reason::INTERNAL_ERROR);
                return Ok(());
            }
            None => return stream.send_data(Bytes::new(), true),
        };
        match frame.into_data() {
            Ok(data) => {
                wait_for_window(&mut stream, data.len()).await?;
                stream.send_data(data, false)?;
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    return stream.send_trailers(trailers);
                }
            }
        }
    }
}

/// Waits until the caller's window takes the first of `bytes` bytes; h2 buffers the rest.
async fn wait_for_window(stream: &mut SendStream<Bytes>, bytes: usize) -> Result<(), h2::Error> {
    if bytes == 0 {
        return Ok(());
    }
    stream.reserve_capacity(1);
    std::future::poll_fn(|context| {
        while stream.capacity() == 0 {
            match ready!(stream.poll_capacity(context)) {
                Some(granted) => granted?,
                // The caller has left.
                None => return Poll::Ready(Err(Reason::CANCEL.into())),
            };
        }
        Poll::Ready(Ok(()))
    })
    .await
}
