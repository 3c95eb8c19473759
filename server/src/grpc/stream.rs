//! Many requests on one stream: up to a window of them is under way at once, and each gets an
//! answer of its own.
//!
//! The stream of answers drives the requests without a task. So a caller that goes away drops them
//! all, and from one that does not read its answers nothing is read either.

use std::pin::Pin;
use std::task::{Context, Poll};

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
    if in_order {
        Answers::<_, _, FuturesOrdered<W>>::new(requests, deadline, lifecycle, answer).boxed()
    } else {
        Answers::<_, _, FuturesUnordered<W>>::new(requests, deadline, lifecycle, answer).boxed()
    }
}

struct Answers<S, F, P> {
    /// `None` once no more are read.
    requests: Option<S>,
    answer: F,
    pending: P,
    /// The error after the last answer.
    end: Option<ServeError>,
    drained: Pin<Box<dyn Future<Output = ()> + Send>>,
    deadline: Option<Pin<Box<Sleep>>>,
}

/// The requests under way; as a stream, their answers.
trait Pending: Stream + Default + Unpin {
    type Work;

    fn add(&mut self, work: Self::Work);

    /// How many, with those whose answers wait for an earlier one's.
    fn under_way(&self) -> usize;
}

// === impl Answers ===

impl<S, F, P: Pending> Answers<S, F, P> {
    fn new(requests: S, deadline: Option<Instant>, lifecycle: &Lifecycle, answer: F) -> Self {
        Self {
            requests: Some(requests),
            answer,
            pending: P::default(),
            end: None,
            drained: Box::pin(lifecycle.drained()),
            deadline: deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline))),
        }
    }
}

impl<M, S, F, P> Answers<S, F, P>
where
    S: Stream<Item = Result<M, ServeError>> + Unpin,
    F: FnMut(M) -> P::Work,
    P: Pending,
{
    /// Begins the requests that have come, as far as the window allows.
    fn read(&mut self, context: &mut Context<'_>) {
        if self.requests.is_some() && self.drained.as_mut().poll(context).is_ready() {
            self.requests = None;
            self.end = Some(ServeError::draining());
        }
        while let Some(requests) = &mut self.requests
            && self.pending.under_way() < WINDOW
        {
            match requests.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(request))) => self.pending.add((self.answer)(request)),
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

impl<M, S, F, P> Stream for Answers<S, F, P>
where
    S: Stream<Item = Result<M, ServeError>> + Unpin,
    F: FnMut(M) -> P::Work + Unpin,
    P: Pending,
{
    type Item = Result<P::Item, ServeError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(deadline) = &mut this.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            this.deadline = None;
            this.requests = None;
            this.end = None;
            this.pending = P::default();
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

// === impl Pending ===

impl<W: Future> Pending for FuturesUnordered<W> {
    type Work = W;

    fn add(&mut self, work: W) {
        self.push(work);
    }

    fn under_way(&self) -> usize {
        self.len()
    }
}

impl<W: Future> Pending for FuturesOrdered<W> {
    type Work = W;

    fn add(&mut self, work: W) {
        self.push_back(work);
    }

    fn under_way(&self) -> usize {
        self.len()
    }
}

#[cfg(test)]
mod tests;
