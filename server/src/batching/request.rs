//! One request in the core: a [`Ticket`] for the caller, a [`Gather`] that collects its rows'
//! outputs.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use smallvec::SmallVec;

use super::Backend;
use super::amount::{Amount, Waiting};
use super::clock::Instant;
use super::flows::Flow;
use super::pool::Pool;
use super::queue::QueueFull;
use super::wake::{Sleeper, wake};
use crate::lock::lock;

/// What a caller gets when all its rows are done.
#[derive(Debug)]
pub struct Answer<O> {
    /// One output per submitted row, in the submitted order.
    pub outputs: SmallVec<[O; 1]>,
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

/// Why a request got no outputs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It was not accepted: too much waits already.
    #[error("{full}")]
    QueueFull {
        /// Which bound it met.
        full: QueueFull,
        /// When the queue may have moved on by a batch.
        retry_after: Duration,
    },
    /// Its deadline passed while it waited.
    #[error("the deadline passed in the queue")]
    Deadline,
    /// The engine has stopped: the server shuts down.
    #[error("the model was stopped")]
    Stopped,
    /// The engine has retired or lost its last instance: this version is no longer served.
    #[error("the model is no longer served")]
    Retired,
    /// Its batch failed; the text is for the log.
    #[error("{0}")]
    Backend(String),
}

/// The caller's end of an accepted request: a future of its answer. Dropping it gives the waiting
/// rows' places back.
pub struct Ticket<B: Backend> {
    pub(super) gather: Arc<Gather<B::Output>>,
    /// Is told when the caller leaves before the answer; taken once that is there.
    pub(super) pool: Option<Arc<Pool<B>>>,
}

/// The core's end of a request, shared by its rows.
pub(super) struct Gather<O> {
    /// When the answer stops being of use.
    pub(super) deadline: Option<Instant>,
    /// Whose it is.
    pub(super) flow: Flow,
    /// What is still in the queue.
    pub(super) waiting: Waiting,
    /// Set when nobody waits for the answer any more, or it can no longer be complete.
    over: AtomicBool,
    collected: Mutex<Collected<O>>,
}

struct Collected<O> {
    outputs: SmallVec<[Option<O>; 1]>,
    missing: usize,
    timing: Timing,
    /// What the caller gets, from the answer on until it is taken.
    reply: Option<Result<Answer<O>, Failure>>,
    caller: Option<Sleeper>,
}

impl<O> Gather<O> {
    /// A request of `amount` by an unknown caller.
    pub(super) fn new(amount: Amount, deadline: Option<Instant>) -> Self {
        Self {
            deadline,
            flow: Flow::default(),
            waiting: Waiting::of(amount),
            over: AtomicBool::new(false),
            collected: Mutex::new(Collected {
                outputs: (0..amount.rows).map(|_| None).collect(),
                missing: amount.rows,
                timing: Timing::default(),
                reply: None,
                caller: None,
            }),
        }
    }

    /// The same by this caller.
    pub(super) fn of(self, flow: Flow) -> Self {
        Self { flow, ..self }
    }

    /// Whether no more of this request should be computed: its caller has gone, or a batch of it
    /// failed.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Says that no more of this request should be computed.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// Whether its deadline has passed.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Takes the outputs of rows `first..`. Once none is missing, gives the answer and returns the
    /// caller, who has to be woken.
    #[must_use]
    pub(super) fn fulfil(
        &self,
        first: usize,
        outputs: impl Iterator<Item = O>,
        timing: Timing,
    ) -> Option<Sleeper> {
        let mut collected = lock(&self.collected);
        let collected = &mut *collected;
        for (slot, output) in collected.outputs[first..].iter_mut().zip(outputs) {
            *slot = Some(output);
            collected.missing -= 1;
        }
        let total = &mut collected.timing;
        total.queue = total.queue.max(timing.queue);
        total.compute = total.compute.max(timing.compute);
        total.batch_size = total.batch_size.max(timing.batch_size);
        if collected.missing > 0 {
            return None;
        }
        let outputs = std::mem::take(&mut collected.outputs);
        let answer = Answer {
            outputs: outputs.into_iter().flatten().collect(),
            timing: *total,
        };
        collected.reply(Ok(answer))
    }

    /// Answers the caller with a failure. Rows that still wait leave the queue when their turn
    /// comes.
    pub(super) fn fail(&self, failure: Failure) {
        self.end();
        let caller = lock(&self.collected).reply(Err(failure));
        wake(caller.into_iter().collect());
    }
}

impl<O> Collected<O> {
    /// The first reply counts. None comes after an answer, which needs every row's output.
    fn reply(&mut self, reply: Result<Answer<O>, Failure>) -> Option<Sleeper> {
        self.reply.get_or_insert(reply);
        self.caller.take()
    }
}

impl<B: Backend> Future for Ticket<B> {
    type Output = Result<Answer<B::Output>, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut collected = lock(&self.gather.collected);
        if let Some(reply) = collected.reply.take() {
            drop(collected);
            self.pool = None;
            return Poll::Ready(reply);
        }
        let waker = context.waker();
        let caller = collected.caller.as_ref();
        if !caller.is_some_and(|caller| caller.waker.will_wake(waker)) {
            collected.caller = Some(Sleeper::here(waker));
        }
        Poll::Pending
    }
}

impl<B: Backend> Drop for Ticket<B> {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.leave(&self.gather);
        }
    }
}

impl<B: Backend> std::fmt::Debug for Ticket<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}
