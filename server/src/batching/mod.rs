//! Dynamic batching: rows in, rows out. No I/O, no task, no transport.
//!
//! ```text
//!  submit(rows) ──► Queue ──cut──► Batch ──► Instance: Backend::run ──► Batch::scatter
//!      │              ▲                                                     │
//!      └─ Ticket ─────┘ dropped: its rows leave the queue                   ▼
//!           ▲                                                 Gather, one per request
//!           └──────────────────── Answer, once all rows are in ◄───────────┘
//! ```
//!
//! The policy:
//! - *Work-conserving*: an idle instance takes what is waiting at once; while it runs, the queue
//!   grows the next batch.
//! - `max_queue_delay` is waited only where it is configured; its timer starts with the oldest
//!   waiting row.
//! - A request may be many rows. It may be split over batches and is answered once, all or nothing.
//! - Rows whose caller has gone or whose deadline has passed are dropped before compute, and
//!   counted.
//! - Rows may have widths, as texts have lengths, and a run pads its rows to the widest. Rows of
//!   similar width wait in the same lane. The oldest row is always in the next batch, which is cut
//!   from its lane, as long as padding costs less than it saves; a narrower lane joins, whole, if
//!   that costs less than a run of its own. Rows of a fixed size have one lane.
//! - Known callers share the queue and each batch equally (`flows.rs`).
//! - A full queue refuses at once. The requests of a failing batch run again, each alone, so that
//!   none fails for another's rows. A panicking instance is replaced, and its batch fails.
//! - A long run of one row, while nothing else runs in the process, uses several cores: an instance
//!   for such runs takes it.
//! - A short batch runs on the thread of the caller that brings it, which saves two wake-ups; a
//!   long one on a thread of the engine's own.
//!
//! `Queue` is the policy as a plain value: time is passed in, nothing blocks. [`Engine`] drives it.

mod amount;
mod backlog;
mod batch;
mod clock;
mod cost;
mod engine;
mod flows;
mod instance;
mod lanes;
mod pool;
mod queue;
mod request;
mod settings;
mod state;
#[cfg(test)]
mod tests;
mod wake;

pub use backlog::Backlog;
pub use clock::{Clock, Instant};
pub use cost::Cost;
pub use engine::{Engine, Parts};
pub use flows::Flow;
pub use queue::QueueFull;
pub use request::{Answer, Failure, Ticket, Timing};
pub use settings::Settings;
pub use wake::WakeQueue;

use std::sync::Arc;
use std::time::Duration;

/// A row as the queue sees it.
pub trait BatchRow: Send + 'static {
    /// How wide it is, in steps; a run costs as much for each row as for its widest. 1 for rows of
    /// a fixed size.
    fn width(&self) -> usize {
        1
    }

    /// The bytes that it holds while it waits.
    fn bytes(&self) -> usize {
        size_of_val(self)
    }
}

/// What runs a batch: one instance of a model, owned by one thread at a time.
pub trait Backend: Send + 'static {
    /// One row of input.
    type Row: BatchRow;
    /// One row of output.
    type Output: Send + 'static;

    /// Runs `rows` as one batch and appends one output per row, in the same order, to `outputs`.
    ///
    /// # Errors
    /// Any error, or another number of outputs than rows. The requests of the batch then run again,
    /// each alone.
    fn run(
        &mut self,
        rows: &[Self::Row],
        outputs: &mut Vec<Self::Output>,
    ) -> Result<(), BackendError>;
}

/// Why a batch could not be run, in words for the log.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct BackendError(pub String);

/// Makes an instance: at start, and again after one has panicked.
pub type BackendFactory<B> = Arc<dyn Fn() -> Result<B, BackendError> + Send + Sync>;

/// Why waiting rows left the queue without an answer.
// The metrics name these in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// Their deadline passed.
    Deadline,
    /// Their caller went away.
    Cancelled,
    /// The engine ended before their turn.
    Stopped,
    /// They never entered: the queue was full.
    QueueFull,
}

/// What a finished batch was like.
#[derive(Debug, Clone)]
pub struct BatchReport {
    /// Rows that ran together.
    pub rows: usize,
    /// The width of the widest row, to which the others were padded.
    pub width: usize,
    /// The rows' own widths together.
    pub elements: usize,
    /// From cut to outputs.
    pub compute: Duration,
    /// How long each request in the batch had waited; none if they run again, each alone.
    pub waits: Vec<Duration>,
    /// Whether every caller got its outputs.
    pub succeeded: bool,
}

/// Is told what the engine does, for metrics. Called on instance and caller threads; must be quick.
pub trait Observer: Send + Sync + 'static {
    /// Rows waiting now.
    fn queue_depth(&self, rows: usize);
    /// A batch ended; told before its callers are answered.
    fn batch(&self, report: &BatchReport);
    /// Rows left without an answer.
    fn dropped(&self, reason: DropReason, rows: usize);
    /// An instance panicked and is being replaced.
    fn instance_replaced(&self);
}
