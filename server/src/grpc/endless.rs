//! Answers without an end of their own, such as a health watch. They end when the server drains, so
//! that they do not hold up its shutdown.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use tonic::Status;
use tonic::body::Body;

use super::status::status;
use crate::error::ServeError;

/// A body that ends with UNAVAILABLE when the server drains, if it has not ended before.
pub(super) struct UntilDrained {
    body: Body,
    drained: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: bool,
}

impl UntilDrained {
    pub(super) fn new(body: Body, drained: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            body,
            drained: Box::pin(drained),
            ended: false,
        }
    }
}

impl http_body::Body for UntilDrained {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        // First what there is to send, such as the last change of a health status.
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.ended = frame.is_none();
            return Poll::Ready(frame);
        }
        ready!(self.drained.as_mut().poll(context));
        self.ended = true;
        let mut trailers = HeaderMap::new();
        let end = status(&ServeError::draining());
        Poll::Ready(Some(
            end.add_header(&mut trailers)
                .map(|()| Frame::trailers(trailers)),
        ))
    }
}
