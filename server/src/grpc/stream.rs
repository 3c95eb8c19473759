//! Many requests on one stream: up to a window of them is under way at once, and each gets an
//! answer of its own.
//!
//! The stream of answers drives the requests without a task. So a caller that goes away drops them
//! all, and from one that does not read its answers nothing is read either.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::Either;
use futures_util::stream::{BoxStream, FuturesOrdered, FuturesUnordered, Stream, StreamExt as _};
use tokio::time::{Instant, Sleep};

use crate::call::Call;
use crate::error::ServeError;
use crate::lifecycle::Lifecycle;

/// The most requests under way on one stream. The server then stops reading, and HTTP/2's flow
/// control holds the caller back.
const WINDOW: usize = 256;

/// Answers `requests` by `answer`, `in_order` or each as soon as it is done.
pub(super) fn answers<M, A, W>(
    requests: BoxStream<'static, Result<M, ServeError>>,
    call: &Call,
    in_order: bool,
    answer: impl FnMut(M) -> W + Send + Unpin + 'static,
) -> BoxStream<'static, Result<A, ServeError>>
where
    M: Send + 'static,
    A: Send + 'static,
    W: Future<Output = A> + Send + 'static,
{
    let (deadline, lifecycle) = (call.deadline(), &call.context().lifecycle);
    Answers::new(requests, (in_order, deadline), lifecycle, answer).boxed()
}

/// The requests under way; as a stream, their answers in order or as they are done.
type Pending<W> = Either<FuturesOrdered<W>, FuturesUnordered<W>>;

struct Answers<S, F, W: Future> {
    /// `None` once no more are read.
    requests: Option<S>,
    answer: F,
    pending: Pending<W>,
    /// The error after the last answer.
    end: Option<ServeError>,
    drained: Pin<Box<dyn Future<Output = ()> + Send>>,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<M, S, F, W> Answers<S, F, W>
where
    S: Stream<Item = Result<M, ServeError>> + Unpin,
    F: FnMut(M) -> W,
    W: Future,
{
    fn new(
        requests: S,
        (in_order, deadline): (bool, Option<Instant>),
        lifecycle: &Lifecycle,
        answer: F,
    ) -> Self {
        Self {
            requests: Some(requests),
            answer,
            pending: if in_order {
                Either::Left(FuturesOrdered::new())
            } else {
                Either::Right(FuturesUnordered::new())
            },
            end: None,
            drained: Box::pin(lifecycle.drained()),
            deadline: deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline))),
        }
    }

    /// Begins the requests that have come, as far as the window allows.
    fn read(&mut self, context: &mut Context<'_>) {
        if self.requests.is_some() && self.drained.as_mut().poll(context).is_ready() {
            self.requests = None;
            self.end = Some(ServeError::draining());
        }
        while let Some(requests) = &mut self.requests {
            // Those that are done and wait for an earlier one count.
            let under_way = match &self.pending {
                Either::Left(ordered) => ordered.len(),
                Either::Right(unordered) => unordered.len(),
            };
            if under_way >= WINDOW {
                return;
            }
            match requests.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(request))) => match &mut self.pending {
                    Either::Left(ordered) => ordered.push_back((self.answer)(request)),
                    Either::Right(unordered) => unordered.push((self.answer)(request)),
                },
                Poll::Ready(Some(Err(failure))) => {
                    self.requests = None;
                    self.end = Some(failure);
                }
                Poll::Ready(None) => self.requests = None,
                Poll::Pending => return,
            }
        }
    }
}

impl<M, S, F, W> Stream for Answers<S, F, W>
where
    S: Stream<Item = Result<M, ServeError>> + Unpin,
    F: FnMut(M) -> W + Unpin,
    W: Future,
{
    type Item = Result<W::Output, ServeError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(deadline) = &mut this.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            this.deadline = None;
            this.requests = None;
            this.end = None;
            this.pending = Either::Right(FuturesUnordered::new());
            let late = ServeError::DeadlineExceeded {
                stage: "before the stream ended",
            };
            return Poll::Ready(Some(Err(late)));
        }
        this.read(context);
        match this.pending.poll_next_unpin(context) {
            Poll::Ready(Some(answer)) => Poll::Ready(Some(Ok(answer))),
            Poll::Ready(None) if this.requests.is_none() => Poll::Ready(this.end.take().map(Err)),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests;
