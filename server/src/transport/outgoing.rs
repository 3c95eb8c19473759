//! An answer of many frames, sent as fast as it comes and its caller reads.

use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http::HeaderMap;
use http_body::Frame;
use tokio::time::Instant;

use super::exchanges::Exchange;
use crate::deadline;

/// Why an answer is broken off.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An answer of many frames.
pub(crate) trait Outgoing: Send {
    /// The next frame. Trailers are the last one.
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>;

    /// Takes over what has come of the request. Called before each frame, and while the caller does
    /// not read.
    fn poll_input(&mut self, _: &mut Context<'_>) {}

    /// When the caller stops waiting for it.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The trailers, once the deadline has passed while the caller did not read.
    fn expire(&mut self) -> HeaderMap {
        HeaderMap::new()
    }
}

/// Sends it to its end.
pub(super) async fn send(
    mut answer: Box<dyn Outgoing>,
    mut stream: SendStream<Bytes>,
    exchange: &Exchange,
) -> Result<(), h2::Error> {
    loop {
        let frame = std::future::poll_fn(|context| {
            if let Err(left) = check_reset(&mut stream, context) {
                return Poll::Ready(Err(left));
            }
            answer.poll_input(context);
            answer.poll_frame(context).map(Ok)
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
            Ok(mut data) => {
                while !data.is_empty() {
                    let Some(room) = room(&mut *answer, &mut stream, exchange, data.len()).await
                    else {
                        return stream.send_trailers(answer.expire());
                    };
                    stream.send_data(data.split_to(room?.min(data.len())), false)?;
                }
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    return stream.send_trailers(trailers);
                }
            }
        }
    }
}

/// How many of the next `bytes` bytes the caller's window takes, at least one; `None`: the deadline
/// passes first.
async fn room(
    answer: &mut dyn Outgoing,
    stream: &mut SendStream<Bytes>,
    exchange: &Exchange,
    bytes: usize,
) -> Option<Result<usize, h2::Error>> {
    stream.reserve_capacity(bytes);
    if stream.capacity() > 0 {
        return Some(Ok(stream.capacity()));
    }
    let _unread = exchange.unread();
    let deadline = answer.deadline();
    let room = pin!(std::future::poll_fn(|context| {
        check_reset(stream, context)?;
        answer.poll_input(context);
        while stream.capacity() == 0 {
            match ready!(stream.poll_capacity(context)) {
                Some(granted) => granted?,
                // The caller has left.
                None => return Poll::Ready(Err(Reason::CANCEL.into())),
            };
        }
        Poll::Ready(Ok(stream.capacity()))
    }));
    match deadline {
        Some(deadline) => deadline::before(deadline, room).await,
        None => Some(room.await),
    }
}

/// # Errors
/// The caller has reset the stream, or has left.
fn check_reset(stream: &mut SendStream<Bytes>, context: &mut Context<'_>) -> Result<(), h2::Error> {
    match stream.poll_reset(context) {
        Poll::Ready(reset) => Err(reset?.into()),
        Poll::Pending => Ok(()),
    }
}
