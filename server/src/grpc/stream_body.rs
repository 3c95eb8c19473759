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

use super::messages;
use super::record::Record;
use super::status::{ok, status, trailers};
use crate::call::Call;
use crate::error::ServeError;
use crate::transport::{BoxError, Encoding, Inbox, Outgoing, Reply};

/// Messages that are there at once go out together, in frames of about this size.
const FRAME: usize = 32 << 10;

/// An answer of many messages, or the refusal of the call. `inbox` holds its requests, if they are
/// many.
pub(super) fn answer<A: Message + 'static>(
    mut record: Record,
    outcome: Result<BoxStream<'static, Result<A, ServeError>>, ServeError>,
    inbox: Option<Inbox>,
    encoding: Option<Encoding>,
) -> Response<Reply> {
    let messages = match outcome {
        Ok(messages) => messages,
        Err(error) => return record.end_with_error(&error),
    };
    let mut response = Reply::Nothing.into_response();
    record.stream(response.headers_mut());
    let reply: Box<dyn Outgoing> = if let Some(encoding) = encoding {
        encoding.write(response.headers_mut());
        let messages = compressed(messages, encoding, record.call.clone());
        let put = |message: &Bytes, into: &mut BytesMut| into.extend_from_slice(message);
        Box::new(Answers::new(record, messages, put, inbox))
    } else {
        Box::new(Answers::new(record, messages, messages::encode, inbox))
    };
    *response.body_mut() = Reply::Stream(reply);
    response
}

/// The messages with their prefixes, compressed.
fn compressed<A: Message + 'static>(
    messages: BoxStream<'static, Result<A, ServeError>>,
    encoding: Encoding,
    call: Call,
) -> BoxStream<'static, Result<Bytes, ServeError>> {
    let compressed = messages.then(move |message| {
        let call = call.clone();
        async move {
            let mut data = BytesMut::new();
            messages::encode(&message?, &mut data);
            messages::compress(data, encoding, &call).await
        }
    });
    compressed.boxed()
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
struct Answers<A, P> {
    /// `None` at the end. If it is dropped before, the caller has cancelled.
    record: Option<Record>,
    messages: BoxStream<'static, Result<A, ServeError>>,
    /// Writes a message with its prefix.
    put: P,
    /// The status after the last message.
    end: Option<Status>,
    inbox: Option<Inbox>,
    deadline: Option<Instant>,
}

struct ByTonic {
    body: Body,
    inbox: Inbox,
}

impl<A, P> Answers<A, P> {
    fn new(
        record: Record,
        messages: BoxStream<'static, Result<A, ServeError>>,
        put: P,
        inbox: Option<Inbox>,
    ) -> Self {
        Self {
            deadline: record.call.deadline(),
            record: Some(record),
            messages,
            put,
            end: None,
            inbox,
        }
    }
}

impl<A, P: Fn(&A, &mut BytesMut) + Send> Outgoing for Answers<A, P> {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut data = BytesMut::new();
        while self.end.is_none() && data.len() < FRAME {
            match self.messages.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(message))) => (self.put)(&message, &mut data),
                Poll::Ready(Some(Err(error))) => {
                    if let Some(record) = &mut self.record {
                        record.note(&error);
                    }
                    self.end = Some(status(&error));
                }
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
