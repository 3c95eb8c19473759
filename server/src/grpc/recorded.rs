//! Answers of many messages: the request has ended when the last one, and how it ended, is out.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Frame;
use tonic::body::Body;
use tonic::{Code, Status};

/// A body that tells how it ended; one that is dropped before its end tells nothing.
pub(super) struct Recorded<F> {
    body: Body,
    /// Is told the code in the trailers, then let go.
    ended: Option<F>,
}

impl<F: FnOnce(Code)> Recorded<F> {
    pub(super) fn new(body: Body, ended: F) -> Self {
        Self {
            body,
            ended: Some(ended),
        }
    }
}

impl<F: FnOnce(Code) + Unpin> http_body::Body for Recorded<F> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let code = match &frame {
            Some(Ok(frame)) => frame.trailers_ref().map(|trailers| {
                Status::from_header_map(trailers).map_or(Code::Ok, |end| end.code())
            }),
            Some(Err(failure)) => Some(failure.code()),
            None => Some(Code::Ok),
        };
        if let Some(code) = code
            && let Some(ended) = self.ended.take()
        {
            ended(code);
        }
        Poll::Ready(frame)
    }
}
