//! One request's way through the core: a [`Ticket`] for the caller, a [`Gather`] that collects its rows' outputs.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;

use super::clock::Instant;

/// What a caller gets when all its rows are done.
#[derive(Debug)]
pub struct Answer<O> {
    /// One output per submitted row, in the submitted order.
    pub outputs: Vec<O>,
    /// Where the time went.
    pub timing: Timing,
}

/// Where a request's time went inside the core; of a split request, the largest of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// From submission to the cut of the batch.
    pub queue: Duration,
    /// From the cut of the batch to its outputs.
    pub compute: Duration,
    /// Rows of the batch, other callers' included.
    pub batch_size: usize,
}

/// Why an accepted request got no outputs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Its deadline passed while it waited.
    #[error("the deadline passed in the queue")]
    Deadline,
    /// The engine stopped before its turn.
    #[error("the model was stopped")]
    Stopped,
    /// Its batch failed; the text is for the log.
    #[error("{0}")]
    Backend(String),
}

/// The caller's end of an accepted request: a future of its answer. Dropping it gives the waiting rows' places back.
pub struct Ticket<O> {
    receiver: oneshot::Receiver<Result<Answer<O>, Failure>>,
    /// What to tell if the caller leaves before the answer; taken once it is there.
    open: Option<Exit<O>>,
}

/// How a caller that leaves gets out: what to tell, and about which request.
type Exit<O> = (Arc<dyn Leave<O>>, Arc<Gather<O>>);

/// The side of the engine that a leaving caller speaks to.
pub(super) trait Leave<O>: Send + Sync {
    /// Gives back the places that the request's rows hold in the queue.
    fn leave(&self, gather: &Gather<O>);
}

/// The core's end of a request, shared by its rows.
pub(super) struct Gather<O> {
    /// When the answer stops being of use.
    pub(super) deadline: Option<Instant>,
    /// Rows still in the queue. Written only under the queue's lock.
    pub(super) waiting: AtomicUsize,
    /// Set when nobody waits for the answer any more, or it can no longer be whole.
    over: AtomicBool,
    collected: Mutex<Collected<O>>,
}

struct Collected<O> {
    outputs: Vec<Option<O>>,
    missing: usize,
    timing: Timing,
    reply: Option<oneshot::Sender<Result<Answer<O>, Failure>>>,
}

/// A request of `rows` rows: the core's end and the receiver for its answer.
#[expect(
    clippy::type_complexity,
    reason = "the pair is taken apart at its only caller"
)]
pub(super) fn gather<O>(
    rows: usize,
    deadline: Option<Instant>,
) -> (
    Arc<Gather<O>>,
    oneshot::Receiver<Result<Answer<O>, Failure>>,
) {
    let (reply, receiver) = oneshot::channel();
    let collected = Collected {
        outputs: (0..rows).map(|_| None).collect(),
        missing: rows,
        timing: Timing::default(),
        reply: Some(reply),
    };
    let gather = Gather {
        deadline,
        waiting: AtomicUsize::new(rows),
        over: AtomicBool::new(false),
        collected: Mutex::new(collected),
    };
    (Arc::new(gather), receiver)
}

// === impl Gather ===

impl<O> Gather<O> {
    /// Whether there is no use in computing more of this request: its caller has gone, or a batch of it failed.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Marks the request as of no more use. Says whether it was so already.
    pub(super) fn end(&self) -> bool {
        self.over.swap(true, Ordering::AcqRel)
    }

    /// Whether its deadline has passed.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Takes the outputs of rows `first..`, and answers the caller when none is missing any more.
    pub(super) fn fulfil(&self, first: usize, outputs: impl Iterator<Item = O>, timing: Timing) {
        let mut collected = self
            .collected
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let collected = &mut *collected;
        for (slot, output) in collected.outputs[first..].iter_mut().zip(outputs) {
            *slot = Some(output);
            collected.missing -= 1;
        }
        let total = &mut collected.timing;
        total.queue = total.queue.max(timing.queue);
        total.compute = total.compute.max(timing.compute);
        total.batch_size = total.batch_size.max(timing.batch_size);
        if collected.missing == 0
            && let Some(reply) = collected.reply.take()
        {
            let outputs = std::mem::take(&mut collected.outputs)
                .into_iter()
                .flatten()
                .collect();
            // A caller that has just gone is no error.
            let _ = reply.send(Ok(Answer {
                outputs,
                timing: *total,
            }));
        }
    }

    /// Answers the caller with a failure; rows of it that still wait are dropped at the next look.
    pub(super) fn fail(&self, failure: Failure) {
        self.end();
        let reply = self
            .collected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .reply
            .take();
        if let Some(reply) = reply {
            let _ = reply.send(Err(failure));
        }
    }
}

// === impl Ticket ===

impl<O> Ticket<O> {
    pub(super) fn new(
        receiver: oneshot::Receiver<Result<Answer<O>, Failure>>,
        engine: Arc<dyn Leave<O>>,
        gather: Arc<Gather<O>>,
    ) -> Self {
        Self {
            receiver,
            open: Some((engine, gather)),
        }
    }
}

impl<O> Future for Ticket<O> {
    type Output = Result<Answer<O>, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver).poll(context).map(|received| {
            self.open = None;
            // The sender goes away unused only with the whole engine.
            received.unwrap_or(Err(Failure::Stopped))
        })
    }
}

impl<O> Drop for Ticket<O> {
    fn drop(&mut self) {
        if let Some((engine, gather)) = self.open.take() {
            engine.leave(&gather);
        }
    }
}

impl<O> std::fmt::Debug for Ticket<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}
