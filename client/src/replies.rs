//! The server's messages of a stream, up to the deadline.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{StreamExt as _, TryFutureExt as _, stream::BoxStream};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    call::LONGEST_TIMEOUT,
    error::{ErrorKind, Failure},
};

/// Messages of a stream that is opened when they are first asked for.
pub(crate) struct Replies<T> {
    /// `None` once it has ended.
    messages: Option<BoxStream<'static, Result<T, Status>>>,
    deadline: Pin<Box<Sleep>>,
    timeout: Duration,
}

impl<T: 'static> Replies<T> {
    /// `open` makes the call with a request that has the rest of the `timeout` as its own.
    pub(crate) fn new<M, F>(
        timeout: Duration,
        message: M,
        open: impl FnOnce(Request<M>) -> F + Send + 'static,
    ) -> Self
    where
        M: Send + 'static,
        F: Future<Output = Result<Response<Streaming<T>>, Status>> + Send,
    {
        let deadline = Instant::now() + timeout.min(LONGEST_TIMEOUT);
        let opening = async move {
            let mut request = Request::new(message);
            request.set_timeout(deadline.saturating_duration_since(Instant::now()));
            open(request).await.map(Response::into_inner)
        };
        Self {
            messages: Some(opening.try_flatten_stream().boxed()),
            deadline: Box::pin(sleep_until(deadline)),
            timeout,
        }
    }

    /// The next message, or how the stream ended: `None` says that the server ended it, and without
    /// a failure.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Option<Failure>>> {
        // Tokio's timers have a resolution of 1 ms, in which a near server can answer.
        let is_late = self.deadline.deadline() <= Instant::now();
        if self.deadline.as_mut().poll(cx).is_ready() || is_late {
            let message = format!("the stream did not end within {:?}", self.timeout);
            let failure = Failure::new(ErrorKind::DeadlineExceeded, message);
            return Poll::Ready(Err(Some(failure)));
        }
        let Some(messages) = &mut self.messages else {
            return Poll::Ready(Err(None));
        };
        messages.poll_next_unpin(cx).map(|reply| match reply {
            Some(reply) => reply.map_err(|status| Some(status.into())),
            None => Err(None),
        })
    }

    /// Cancels the call; no more messages come.
    pub(crate) fn end(&mut self) {
        self.messages = None;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.messages.is_none()
    }
}

impl<T> fmt::Debug for Replies<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies")
            .field("has_ended", &self.messages.is_none())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
