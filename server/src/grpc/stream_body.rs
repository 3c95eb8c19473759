//! The body of an answer of many messages.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, StreamExt as _};
use http::{HeaderMap, Response};
use http_body::Frame;
use prost::Message;
use tonic::body::Body;
use tonic::{Code, Status};

use super::exchange::Reply;
use super::record::Record;
use super::status::status;
use super::{messages, refusal};
use crate::error::ServeError;

/// Messages that are there at once go out together, in frames of about this size.
const FRAME: usize = 32 << 10;

/// The messages, then the status. The call ends with them.
struct StreamBody<A> {
    messages: BoxStream<'static, Result<A, ServeError>>,
    /// How the messages have ended.
    end: Option<Result<(), ServeError>>,
    /// Taken with the status. A body that is dropped before has been cancelled by the caller.
    record: Option<Record>,
}

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
    let body = StreamBody {
        messages,
        end: None,
        record: Some(record),
    };
    *response.body_mut() = Reply::Tonic(Body::new(body));
    response
}

impl<A: Message> http_body::Body for StreamBody<A> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let mut data = BytesMut::new();
        while this.end.is_none() && data.len() < FRAME {
            match this.messages.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(message))) => messages::encode(&message, &mut data),
                Poll::Ready(Some(Err(error))) => this.end = Some(Err(error)),
                Poll::Ready(None) => this.end = Some(Ok(())),
                Poll::Pending if data.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        if !data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(data.freeze()))));
        }
        let Some(record) = this.record.take() else {
            return Poll::Ready(None);
        };
        let end = match this.end.take() {
            Some(Err(error)) => status(&error),
            _ => Status::new(Code::Ok, ""),
        };
        record.end(end.code());
        let mut trailers = HeaderMap::new();
        let written = end.add_header(&mut trailers);
        Poll::Ready(Some(written.map(|()| Frame::trailers(trailers))))
    }
}
