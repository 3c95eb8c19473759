//! What an engine knows of its queue, its instances and what runs cost, and what follows for the next batch.

use std::time::Duration;

use super::instance::Instance;
use super::queue::Queue;
use super::{Backend, Settings};

/// What a thread must have to do for it to pay that it is woken: about what it costs to wake one, on both sides.
const WORTH_A_WAKE: Duration = Duration::from_micros(50);

/// An engine whose rows wait for so long is behind: a millisecond more makes no difference to them.
const FAR_BEHIND: Duration = Duration::from_millis(8);

/// A run of so long hides what it costs to hand rows over, so that two of half the size cost no more than one.
const LONG_RUN: Duration = Duration::from_micros(500);

/// A run of so many times the rows that a run costs beside its own is as cheap by the row as a larger one, nearly.
const MANY_OVERHEADS: usize = 4;

/// What the lock of an engine guards.
pub(super) struct State<B: Backend> {
    pub(super) queue: Queue<B::Row, B::Output>,
    pub(super) phase: Phase,
    /// Instances that run nothing.
    pub(super) idle: Vec<Instance<B>>,
    /// Instances in all, running ones included.
    pub(super) instances: usize,
    /// Threads that sleep on `wake`.
    pub(super) sleepers: usize,
    /// What things have cost lately; unknown until the first batch has run.
    pub(super) costs: Option<Costs>,
    /// Batches that run while this engine is behind, as the backlog was told.
    pub(super) running_behind: usize,
}

/// Moving averages of what runs cost.
#[derive(Clone, Copy)]
pub(super) struct Costs {
    /// Of a row, whatever its width.
    pub(super) row: Duration,
    /// Of a unit of [`Settings::load`].
    pub(super) load: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Takes requests.
    Open,
    /// Takes requests and waits for no company.
    Hurried,
    /// Takes nothing, finishes only what runs.
    Stopped,
}

// === impl State ===

impl<B: Backend> State<B> {
    /// What a run of so many rows is expected to cost; nothing while that is unknown.
    fn cost(&self, rows: usize) -> Duration {
        self.costs.map_or(Duration::ZERO, |costs| costs.row) * rows as u32
    }

    /// What waits, shared out among so many instances.
    fn share_of(&self, instances: usize) -> usize {
        self.queue.depth().div_ceil(instances.max(1))
    }

    /// How long it takes to run the rows that wait now.
    fn wait(&self) -> Duration {
        self.cost(self.share_of(self.instances))
    }

    /// Whether its rows wait so long that a millisecond more makes no difference to them.
    pub(super) fn is_behind(&self) -> bool {
        self.wait() >= FAR_BEHIND
    }

    /// About when the rows that wait now will have been run, by one digit, rounded up: nobody can use more, and what is
    /// the same for many is written once.
    pub(super) fn retry_after(&self) -> Duration {
        let wait = self
            .wait()
            .clamp(Duration::from_millis(10), Duration::from_secs(5));
        let milliseconds = wait.as_micros().div_ceil(1000) as u64;
        let digit = 10u64.pow(milliseconds.ilog10());
        Duration::from_millis(milliseconds.next_multiple_of(digit))
    }

    /// The most rows for the next batch. What waits is shared out among the idle instances, where a share is worth waking
    /// one more; and among all, where a share is a long run in itself: one that took everything would leave the next
    /// instance to be free with nothing to do, and its own callers would wait twice as long ("guided self-scheduling",
    /// Polychronopoulos and Kuck, 1987). With a delay that is left alone: what is left of a full batch would wait again.
    pub(super) fn share(&self, settings: &Settings) -> usize {
        let of_all = self.share_of(self.instances);
        let of_idle = self.share_of(self.idle.len());
        let is_long = self.cost(of_all) >= LONG_RUN
            && of_all >= MANY_OVERHEADS * settings.overhead_rows
            && settings.max_queue_delay.is_zero();
        let rows = if is_long {
            of_all
        } else if self.cost(of_idle) >= WORTH_A_WAKE {
            of_idle
        } else {
            settings.max_batch_size
        };
        rows.min(settings.max_batch_size)
    }
}

// === impl Costs ===

impl Costs {
    /// One part new in eight: a few batches settle it, one odd batch does not upset it.
    pub(super) fn then(self, ran: Self) -> Self {
        Self {
            row: (self.row * 7 + ran.row) / 8,
            load: (self.load * 7 + ran.load) / 8,
        }
    }
}
