//! The body of an answer of many messages.

use std::task::Poll;

use bytes::BytesMut;
use futures_util::stream::{BoxStream, StreamExt as _, poll_fn};
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use prost::Message;

use super::record::Record;
use super::status::{ok, status, trailers};
use super::{messages, refusal};
use crate::error::ServeError;
use crate::transport::{Body, Reply};

/// Messages that are there at once go out together, in frames of about this size.
const FRAME: usize = 32 << 10;

/// An answer of many messages, or the refusal of the call.
pub(super) fn answer<A: Message + 'static>(
    mut record: Record,
    outcome: Result<BoxStream<'static, Result<A, ServeError>>, ServeError>,
) -> Response<Reply> {
    let messages = match outcome {
        Ok(messages) => messages,
        Err(error) => return record.end_with(refusal::refuse(&error)),
    };
    let mut response = Reply::Nothing.into_response();
    record.stream(response.headers_mut());
    *response.body_mut() = Reply::Stream(body(record, messages));
    response
}

/// The messages, then the status. The call ends with them.
fn body<A: Message + 'static>(
    record: Record,
    mut messages: BoxStream<'static, Result<A, ServeError>>,
) -> Body {
    // A body that is dropped before it has taken the record was cancelled by the caller.
    let (mut record, mut end) = (Some(record), None);
    let frames = poll_fn(move |context| {
        let mut data = BytesMut::new();
        while end.is_none() && data.len() < FRAME {
            match messages.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(message))) => messages::encode(&message, &mut data),
                Poll::Ready(Some(Err(error))) => end = Some(status(&error)),
                Poll::Ready(None) => end = Some(ok()),
                Poll::Pending if data.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        if !data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(data.freeze()))));
        }
        Poll::Ready(record.take().zip(end.take()).map(|(record, end)| {
            record.end(end.code());
            trailers(&end).map_err(Into::into)
        }))
    });
    StreamBody::new(frames).boxed_unsync()
}
