//! Many requests on one stream: they are read as they come, up to a window of them is under way at once, and each gets
//! an answer of its own.
//!
//! Nothing is spawned: the stream of answers drives the requests, so a caller that goes away drops them all, and one
//! that does not read its answers is not read from either.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream::{FuturesOrdered, FuturesUnordered, Stream, StreamExt as _};
use tokio::time::Sleep;
use tonic::codegen::BoxStream;
use tonic::{Code, Status, Streaming};

use super::call::Call;
use super::status::status;
use crate::error::ServeError;
use crate::lifecycle::Lifecycle;

/// Requests under way on one stream. While there are so many, no more are read, and HTTP/2's flow control holds the
/// caller back.
const WINDOW: usize = 256;

/// Answers `requests` by `answer`, each as soon as it is done.
pub(super) fn as_they_come<M, A, W>(
    requests: Streaming<M>,
    call: &Call,
    lifecycle: &Lifecycle,
    answer: impl FnMut(M) -> W + Send + Unpin + 'static,
) -> BoxStream<A>
where
    M: Send + 'static,
    A: Send + 'static,
    W: Future<Output = A> + Send + 'static,
{
    Box::pin(Answers::<_, _, FuturesUnordered<W>>::new(
        requests, call, lifecycle, answer,
    ))
}

/// Answers `requests` by `answer`, in their order.
pub(super) fn in_order<M, A, W>(
    requests: Streaming<M>,
    call: &Call,
    lifecycle: &Lifecycle,
    answer: impl FnMut(M) -> W + Send + Unpin + 'static,
) -> BoxStream<A>
where
    M: Send + 'static,
    A: Send + 'static,
    W: Future<Output = A> + Send + 'static,
{
    Box::pin(Answers::<_, _, FuturesOrdered<W>>::new(
        requests, call, lifecycle, answer,
    ))
}

struct Answers<S, F, P> {
    /// `None` when nothing more is read.
    requests: Option<S>,
    answer: F,
    pending: P,
    /// How the stream ends when what was read has been answered; `None`: well.
    end: Option<Status>,
    drained: Pin<Box<dyn Future<Output = ()> + Send>>,
    deadline: Option<Pin<Box<Sleep>>>,
}

/// Requests under way; as a stream, their answers.
trait Pending: Stream + Default + Unpin {
    type Work;

    fn add(&mut self, work: Self::Work);

    /// How many, those included that wait for the answer of an earlier one.
    fn under_way(&self) -> usize;
}

// === impl Answers ===

impl<S, F, P: Pending> Answers<S, F, P> {
    fn new(requests: S, call: &Call, lifecycle: &Lifecycle, answer: F) -> Self {
        let deadline = call.deadline;
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
    S: Stream<Item = Result<M, Status>> + Unpin,
    F: FnMut(M) -> P::Work,
    P: Pending,
{
    /// Takes up requests that have come, as far as the window allows.
    fn read(&mut self, context: &mut Context<'_>) {
        if self.requests.is_some() && self.drained.as_mut().poll(context).is_ready() {
            self.requests = None;
            self.end = Some(status(&ServeError::draining()));
        }
        while let Some(requests) = &mut self.requests
            && self.pending.under_way() < WINDOW
        {
            match requests.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(request))) => self.pending.add((self.answer)(request)),
                Poll::Ready(Some(Err(failure))) => {
                    self.requests = None;
                    self.end = Some(unread(failure));
                }
                Poll::Ready(None) => self.requests = None,
                Poll::Pending => return,
            }
        }
    }
}

impl<M, S, F, P> Stream for Answers<S, F, P>
where
    S: Stream<Item = Result<M, Status>> + Unpin,
    F: FnMut(M) -> P::Work + Unpin,
    P: Pending,
{
    type Item = Result<P::Item, Status>;

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
            return Poll::Ready(Some(Err(status(&late))));
        }
        this.read(context);
        match this.pending.poll_next_unpin(context) {
            Poll::Ready(Some(answer)) => Poll::Ready(Some(Ok(answer))),
            Poll::Ready(None) if this.requests.is_none() => Poll::Ready(this.end.take().map(Err)),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

/// What the codec says of a message that it cannot read, in codes that would blame the server.
fn unread(failure: Status) -> Status {
    match failure.code() {
        Code::OutOfRange | Code::Internal => {
            let words = format!("cannot be read: {}", failure.message());
            status(&ServeError::invalid("request", words))
        }
        _ => failure,
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
