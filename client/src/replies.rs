//! The server's messages of a stream, up to the deadline.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};
use tokio_stream::Stream as _;
use tonic::{Request, Response, Status, Streaming};

use crate::{
    call::LONGEST_TIMEOUT,
    error::{ErrorKind, Failure},
};

/// Messages of a stream that is opened when they are first asked for.
pub(crate) struct Replies<T> {
    state: State<T>,
    deadline: Pin<Box<Sleep>>,
    timeout: Duration,
}

enum State<T> {
    Opening(Opening<T>),
    Open(Box<Streaming<T>>),
    Ended,
}

type Opening<T> = Pin<Box<dyn Future<Output = Result<Response<Streaming<T>>, Status>> + Send>>;

impl<T> Replies<T> {
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
            open(request).await
        };
        Self {
            state: State::Opening(Box::pin(opening)),
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
        loop {
            match &mut self.state {
                State::Opening(opening) => match std::task::ready!(opening.as_mut().poll(cx)) {
                    Ok(response) => self.state = State::Open(Box::new(response.into_inner())),
                    Err(status) => return Poll::Ready(Err(Some(status.into()))),
                },
                State::Open(messages) => {
                    return Pin::new(messages).poll_next(cx).map(|it| match it {
                        Some(Ok(message)) => Ok(message),
                        Some(Err(status)) => Err(Some(status.into())),
                        None => Err(None),
                    });
                }
                State::Ended => return Poll::Ready(Err(None)),
            }
        }
    }

    /// Cancels the call; no more messages come.
    pub(crate) fn end(&mut self) {
        self.state = State::Ended;
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }
}

impl<T> fmt::Debug for Replies<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Opening(_) => "opening",
            State::Open(_) => "open",
            State::Ended => "ended",
        };
        f.debug_struct("Replies")
            .field("state", &state)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
