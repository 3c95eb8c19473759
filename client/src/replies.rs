//! The server's messages of a stream, as long as they come in time.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{StreamExt as _, TryFutureExt as _, stream::BoxStream};
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    builder::Settings,
    call::LONGEST_TIMEOUT,
    error::{ErrorKind, Failure},
    metadata::request_id,
};

/// How long a stream may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// All of it.
    whole: Duration,
    /// The wait for each message.
    message: Option<Duration>,
}

/// Messages of a stream that is opened when they are first asked for.
pub(crate) struct Replies<T> {
    /// `None` once it has ended.
    messages: Option<BoxStream<'static, Result<T, Status>>>,
    limits: Limits,
    deadline: Pin<Box<Sleep>>,
    /// Runs while a message is awaited.
    wait: Option<Pin<Box<Sleep>>>,
    /// The call's id as it was sent, and the server's once it has answered.
    sent_id: String,
    id: Arc<OnceLock<String>>,
}

impl Limits {
    /// The timeout is the whole stream's, unless that has its own.
    pub(crate) fn of_all(settings: &Settings) -> Self {
        Self {
            whole: settings.stream_timeout.unwrap_or(settings.timeout),
            message: None,
        }
    }

    /// The timeout is each message's.
    pub(crate) fn of_messages(settings: &Settings) -> Self {
        Self {
            whole: settings.stream_timeout.unwrap_or(Duration::MAX),
            message: Some(settings.timeout),
        }
    }
}

impl<T: 'static> Replies<T> {
    /// `open` makes the call with a request that has the rest of the whole stream's time as its
    /// timeout.
    pub(crate) fn new<M, F>(
        settings: &Settings,
        limits: Limits,
        message: M,
        open: impl FnOnce(Request<M>) -> F + Send + 'static,
    ) -> Self
    where
        M: Send + 'static,
        F: Future<Output = Result<Response<Streaming<T>>, Status>> + Send,
    {
        let deadline = Instant::now() + limits.whole.min(LONGEST_TIMEOUT);
        let sent_id = settings.metadata.request_id();
        let id = Arc::new(OnceLock::new());
        let (settings, request_id_sent, answered) =
            (settings.clone(), sent_id.clone(), Arc::clone(&id));
        let opening = async move {
            let left = deadline.saturating_duration_since(Instant::now());
            let response = open(settings.request(message, left, &request_id_sent)).await?;
            if let Some(id) = request_id(response.metadata()) {
                answered.get_or_init(|| id);
            }
            Ok(response.into_inner())
        };
        Self {
            messages: Some(opening.try_flatten_stream().boxed()),
            limits,
            deadline: Box::pin(sleep_until(deadline)),
            wait: None,
            sent_id,
            id,
        }
    }

    /// The next message, or how the stream ended: `None` says that the server ended it, and without
    /// a failure.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Option<Failure>>> {
        // Tokio's timers have a resolution of 1 ms, in which a near server can answer.
        let is_late = self.deadline.deadline() <= Instant::now();
        if self.deadline.as_mut().poll(cx).is_ready() || is_late {
            return Poll::Ready(Err(Some(late("the stream did not end", self.limits.whole))));
        }
        let Some(messages) = &mut self.messages else {
            return Poll::Ready(Err(None));
        };
        if let Poll::Ready(reply) = messages.poll_next_unpin(cx) {
            self.wait = None;
            return Poll::Ready(match reply {
                Some(reply) => reply.map_err(|status| Some(status.into())),
                None => Err(None),
            });
        }
        let Some(limit) = self.limits.message else {
            return Poll::Pending;
        };
        let wait = || Box::pin(sleep(limit.min(LONGEST_TIMEOUT)));
        let mut wait = self.wait.get_or_insert_with(wait).as_mut();
        if wait.as_mut().poll(cx).is_pending() && wait.deadline() > Instant::now() {
            return Poll::Pending;
        }
        Poll::Ready(Err(Some(late("no message came", limit))))
    }

    /// Cancels the call; no more messages come.
    pub(crate) fn end(&mut self) {
        self.messages = None;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.messages.is_none()
    }

    /// The call's id: the server's, or the one that was sent until it has answered.
    pub(crate) fn request_id(&self) -> &str {
        self.id.get().unwrap_or(&self.sent_id)
    }
}

fn late(what: &str, limit: Duration) -> Failure {
    Failure::new(
        ErrorKind::DeadlineExceeded,
        format!("{what} within {limit:?}"),
    )
}

impl<T> fmt::Debug for Replies<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies")
            .field("has_ended", &self.messages.is_none())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
