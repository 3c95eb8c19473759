//! One request and its answer, between HTTP/2's frames and what answers calls.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body as _, Frame};
use tonic::Status;
use tonic::body::Body;

use super::observe::Answering;

/// What is answered after the headers.
pub(super) enum Reply {
    /// Nothing: they have said it all.
    Nothing,
    /// One message, with its prefix, and that all is well.
    Message(Bytes),
    /// What tonic made, as it comes.
    Tonic(Body),
}

/// A request's body, for tonic.
pub(super) struct RequestBody(pub(super) RecvStream);

/// Answers a request. What is answered at once, such as what is refused, needs no task for it.
pub(super) fn begin(mut answering: Answering, mut respond: SendResponse<Bytes>) {
    // A task asks again, with a waker.
    let mut unwoken = Context::from_waker(Waker::noop());
    match step(&mut answering, &mut respond, &mut unwoken) {
        Poll::Ready(None) => {}
        Poll::Ready(Some(rest)) => {
            tokio::spawn(rest);
        }
        Poll::Pending => {
            tokio::spawn(end(answering, respond));
        }
    }
}

/// Waits for the answer and sends it.
async fn end(mut answering: Answering, mut respond: SendResponse<Bytes>) {
    let sent = std::future::poll_fn(|context| step(&mut answering, &mut respond, context));
    if let Some(rest) = sent.await {
        // Boxed, because most answers have none.
        Box::pin(rest).await;
    }
}

/// Goes on with an answer until it is sent, gives what is left to send, or the caller has left.
fn step(
    answering: &mut Answering,
    respond: &mut SendResponse<Bytes>,
    context: &mut Context<'_>,
) -> Poll<Option<impl Future<Output = ()> + Send + use<>>> {
    // Asked first: whoever has left is not worth a run.
    if respond.poll_reset(context).is_ready() {
        return Poll::Ready(None);
    }
    // A panic costs no other request of the connection.
    let polled = catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(context)));
    let Ok(polled) = polled else {
        respond.send_reset(Reason::INTERNAL_ERROR);
        return Poll::Ready(None);
    };
    polled.map(|response| send(respond, response))
}

/// Sends what is there of an answer; the rest comes as it likes.
fn send(
    respond: &mut SendResponse<Bytes>,
    response: Response<Reply>,
) -> Option<impl Future<Output = ()> + Send + use<>> {
    let (head, reply) = response.into_parts();
    let head = Response::from_parts(head, ());
    let sent = match reply {
        Reply::Nothing => respond.send_response(head, true).map(|_| None),
        // The whole of it is here already: h2 may as well hold what the caller has no window for.
        Reply::Message(message) => respond.send_response(head, false).and_then(|mut stream| {
            stream.send_data(message, false)?;
            let mut trailers = HeaderMap::with_capacity(1);
            trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
            stream.send_trailers(trailers)?;
            Ok(None)
        }),
        Reply::Tonic(body) if body.is_end_stream() => {
            respond.send_response(head, true).map(|_| None)
        }
        Reply::Tonic(body) => respond
            .send_response(head, false)
            .map(|stream| Some((body, stream))),
    };
    let untaken = |error: h2::Error| tracing::debug!(%error, "an answer was not taken");
    let (body, stream) = sent.map_err(untaken).ok()??;
    Some(async move {
        if let Err(error) = pump(body, stream).await {
            untaken(error);
        }
    })
}

/// Sends a body as fast as it comes and the caller takes it.
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
                room(&mut stream, data.len()).await?;
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

/// Waits until the caller takes the first of so many bytes; h2 holds the rest.
async fn room(stream: &mut SendStream<Bytes>, bytes: usize) -> Result<(), h2::Error> {
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

/// A request that does not come in whole: its caller has left.
fn broken_off(error: &h2::Error) -> Status {
    Status::cancelled(format!("the request was broken off: {error}"))
}

// === impl RequestBody ===

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let stream = &mut self.0;
        if let Some(data) = ready!(stream.poll_data(context)) {
            let data = data.map_err(|error| broken_off(&error))?;
            let flow = stream.flow_control();
            flow.release_capacity(data.len())
                .map_err(|error| broken_off(&error))?;
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let trailers = ready!(stream.poll_trailers(context)).map_err(|error| broken_off(&error))?;
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}
