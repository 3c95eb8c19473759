//! Answers of many messages.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, StreamExt as _};
use http::{HeaderMap, Response};
use http_body::{Body as _, Frame};
use prost::Message;
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;

use super::record::Record;
use super::status::{ok, status, trailers};
use super::{messages, refusal};
use crate::error::ServeError;
use crate::transport::{BoxError, Inbox, Outgoing, Reply};

/// Messages that are there at once go out together, in frames of about this size.
const FRAME: usize = 32 << 10;

/// An answer of many messages, or the refusal of the call. `inbox` holds its requests, if they are
/// many.
pub(super) fn answer<A: Message + 'static>(
    mut record: Record,
    outcome: Result<BoxStream<'static, Result<A, ServeError>>, ServeError>,
    inbox: Option<Inbox>,
) -> Response<Reply> {
    let messages = match outcome {
        Ok(messages) => messages,
        Err(error) => return record.end_with(refusal::refuse(&error)),
    };
    let mut response = Reply::Nothing.into_response();
    record.stream(response.headers_mut());
    *response.body_mut() = Reply::Stream(Box::new(Answers {
        deadline: record.call.deadline(),
        record: Some(record),
        messages,
        end: None,
        inbox,
    }));
    response
}

/// The body of an answer by tonic to what comes in `inbox`.
pub(super) fn by_tonic(body: Body, inbox: Inbox) -> Reply {
    if body.is_end_stream() {
        Reply::Nothing
    } else {
        Reply::Stream(Box::new(ByTonic { body, inbox }))
    }
}

/// The messages, then the status. The call ends with them.
struct Answers<A> {
    /// `None` at the end. If it is dropped before, the caller has cancelled.
    record: Option<Record>,
    messages: BoxStream<'static, Result<A, ServeError>>,
    /// The status after the last message.
    end: Option<Status>,
    inbox: Option<Inbox>,
    deadline: Option<Instant>,
}

struct ByTonic {
    body: Body,
    inbox: Inbox,
}

impl<A: Message> Outgoing for Answers<A> {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut data = BytesMut::new();
        while self.end.is_none() && data.len() < FRAME {
            match self.messages.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(message))) => messages::encode(&message, &mut data),
                Poll::Ready(Some(Err(error))) => self.end = Some(status(&error)),
                Poll::Ready(None) => self.end = Some(ok()),
                Poll::Pending if data.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        if !data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(data.freeze()))));
        }
        Poll::Ready(
            self.record
                .take()
                .zip(self.end.take())
                .map(|(record, end)| {
                    record.end(end.code());
                    Ok(Frame::trailers(trailers(&end)?))
                }),
        )
    }

    fn poll_input(&mut self, context: &mut Context<'_>) {
        if let Some(inbox) = &self.inbox {
            inbox.fill(context);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn expire(&mut self) -> HeaderMap {
        let late = status(&ServeError::DeadlineExceeded {
            stage: "before the answers were read",
        });
        if let Some(record) = self.record.take() {
            record.end(late.code());
        }
        trailers(&late).unwrap_or_default()
    }
}

impl Outgoing for ByTonic {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        polled.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn poll_input(&mut self, context: &mut Context<'_>) {
        self.inbox.fill(context);
    }
}
