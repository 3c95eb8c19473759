//! What an engine knows of its queue, its instances and its runs, and what follows for the next
//! batch.

use std::time::Duration;

use super::instance::Instance;
use super::lanes::Extent;
use super::queue::Queue;
use super::{Backend, BackendFactory, Settings};

/// Work that is worth waking a thread for: about what a wake-up costs, on both sides.
const WORTH_A_WAKE: Duration = Duration::from_micros(50);

/// An engine whose rows wait this long is behind: a millisecond more makes no difference to them.
const FAR_BEHIND: Duration = Duration::from_millis(8);

/// A run this long gains by being split over cores: each of its operators then waits for threads
/// to wake.
const WORTH_SPLITTING: Duration = Duration::from_millis(1);

/// A run this long hides the cost of handing rows over: two runs of half the size cost no more
/// than one.
const LONG_RUN: Duration = Duration::from_micros(500);

/// The state that an engine's lock guards.
pub(super) struct State<B: Backend> {
    pub(super) queue: Queue<B::Row, B::Output>,
    pub(super) phase: Phase,
    /// Instances that run nothing.
    pub(super) idle: Vec<Instance<B>>,
    /// The idle one whose runs use several cores, if the model has one: see [`super::Parts`].
    pub(super) parallel: Option<Instance<B>>,
    /// Instances in all, running ones included, without the parallel one.
    pub(super) instances: usize,
    /// Makes replacements; dropped with the last instance, as it may hold as much memory as one.
    pub(super) factory: Option<BackendFactory<B>>,
    /// Threads that sleep on `wake`.
    pub(super) sleepers: usize,
    /// The speed of recent runs; unknown until the first batch has run.
    pub(super) speed: Option<Speed>,
    /// Running batches that the backlog counts for this engine.
    pub(super) running_behind: usize,
}

/// Moving averages of how long runs took.
#[derive(Clone, Copy)]
pub(super) struct Speed {
    /// For each row, whatever its width.
    pub(super) row: Duration,
    /// For each unit of [`super::Cost`], in nanoseconds.
    pub(super) unit: f64,
}

/// The phases of an engine, in order; some may be skipped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Takes requests.
    Open,
    /// Takes requests; none waits for `max_queue_delay`.
    Hurried,
    /// Takes nothing, finishes what waits.
    Retired,
    /// Takes nothing, finishes only what runs.
    Stopped,
}

impl<B: Backend> State<B> {
    /// How long a run of `rows` rows is expected to take; zero while that is unknown.
    fn time_of(&self, rows: usize) -> Duration {
        self.speed.map_or(Duration::ZERO, |speed| speed.row) * rows as u32
    }

    /// The rows of each instance, if `instances` of them share what waits.
    fn share_of(&self, instances: usize) -> usize {
        self.queue.depth().div_ceil(instances.max(1))
    }

    /// How long it takes to run the rows that wait now.
    fn wait(&self) -> Duration {
        self.time_of(self.share_of(self.instances))
    }

    /// Whether a thread sleeps that could run what waits.
    pub(super) fn needs_wake(&self) -> bool {
        self.queue.depth() > 0 && self.sleepers > 0 && !self.idle.is_empty()
    }

    /// Whether a run is expected to be shorter on several cores than on one. Several rows are not:
    /// the instances share them.
    pub(super) fn is_worth_splitting(&self, run: Extent) -> bool {
        let expected = self
            .speed
            .map_or(0.0, |it| it.unit * self.queue.cost.of_run(run));
        run.rows == 1 && Duration::from_nanos(expected as u64) >= WORTH_SPLITTING
    }

    /// Whether its rows wait so long that a millisecond more makes no difference to them.
    pub(super) fn is_behind(&self) -> bool {
        self.wait() >= FAR_BEHIND
    }

    /// About when the rows that wait now will have been run, rounded up to one digit: callers can
    /// use no more, and a refusal that is the same for many is written once.
    pub(super) fn retry_after(&self) -> Duration {
        let wait = self
            .wait()
            .clamp(Duration::from_millis(10), Duration::from_secs(5));
        let milliseconds = wait.as_micros().div_ceil(1000) as u64;
        let digit = 10u64.pow(milliseconds.ilog10());
        Duration::from_millis(milliseconds.next_multiple_of(digit))
    }

    /// The most rows for the next batch.
    ///
    /// What waits is shared among the idle instances, where a share is worth a wake-up of one more.
    /// It is shared among all instances where a share is a long run in itself: if one took
    /// everything, the next instance to be free would have nothing to do, and the callers would
    /// wait twice as long ("guided self-scheduling", Polychronopoulos and Kuck, 1987). Not so with
    /// a delay: what is left of a full batch would wait again.
    pub(super) fn batch_limit(&self, settings: &Settings) -> usize {
        let of_all = self.share_of(self.instances);
        let of_idle = self.share_of(self.idle.len());
        let is_long = self.time_of(of_all) >= LONG_RUN
            && of_all >= self.queue.cost.efficient_rows()
            && settings.max_queue_delay.is_zero();
        let rows = if is_long {
            of_all
        } else if self.time_of(of_idle) >= WORTH_A_WAKE {
            of_idle
        } else {
            settings.max_batch_size
        };
        rows.min(settings.max_batch_size)
    }
}

impl Speed {
    /// The latest run counts for an eighth: a few batches settle it, one odd batch does not upset
    /// it.
    pub(super) fn updated(self, latest: Self) -> Self {
        Self {
            row: (self.row * 7 + latest.row) / 8,
            unit: (self.unit * 7.0 + latest.unit) / 8.0,
        }
    }
}

impl Phase {
    /// Whether it takes no requests any more.
    pub(super) fn has_ended(self) -> bool {
        self >= Self::Retired
    }
}
