//! What a model version has done since it was loaded, as the Open Inference Protocol's ModelStatistics tells it.
//!
//! The metrics say the same and more over time; these are plain sums that can be read back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::batching::{BatchReport, DropReason, Observer, Timing};
use crate::metrics::ModelMetrics;

/// Counts and sums of durations; written with relaxed atomics, so that a reading may lie between two of a request's.
#[derive(Debug)]
pub struct Statistics {
    /// Milliseconds since 1970 of the last run; 0: none yet.
    last_inference: AtomicU64,
    success: Sum,
    fail: Sum,
    queue: Sum,
    compute_input: Sum,
    compute_infer: Sum,
    compute_output: Sum,
    /// Runs by their number of rows, one row first.
    runs: Box<[Sum]>,
}

/// A reading of [`Statistics`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Milliseconds since 1970 of the last run; 0: none yet.
    pub last_inference_ms: u64,
    /// Requests that were answered, from their arrival to their answer.
    pub success: Total,
    /// Requests that reached the model and were answered by an error; those whose caller went away are in neither.
    pub fail: Total,
    /// Waiting for an instance; of answered requests, as are the next three.
    pub queue: Total,
    /// Decoding and pre-processing.
    pub compute_input: Total,
    /// Running.
    pub compute_infer: Total,
    /// From outputs to an answer.
    pub compute_output: Total,
    /// Runs that succeeded, by number of rows; only numbers that have been seen.
    pub runs: Vec<(usize, Total)>,
}

/// How many, and how long together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Total {
    /// How many.
    pub count: u64,
    /// Their durations' sum in nanoseconds.
    pub ns: u64,
}

/// Tells both the metrics and the statistics what the batching core does.
pub(crate) struct Observed {
    pub(crate) metrics: ModelMetrics,
    pub(crate) statistics: Arc<Statistics>,
}

#[derive(Debug, Default)]
struct Sum {
    count: AtomicU64,
    ns: AtomicU64,
}

// === impl Statistics ===

impl Statistics {
    /// All zero, for a model whose runs take up to `max_batch_size` rows.
    pub fn new(max_batch_size: usize) -> Self {
        Self {
            last_inference: AtomicU64::new(0),
            success: Sum::default(),
            fail: Sum::default(),
            queue: Sum::default(),
            compute_input: Sum::default(),
            compute_infer: Sum::default(),
            compute_output: Sum::default(),
            runs: (0..max_batch_size).map(|_| Sum::default()).collect(),
        }
    }

    /// A request was answered after `took` in all: `input` before the batching core, `timing` inside, `output` after.
    pub fn succeeded(&self, took: Duration, input: Duration, timing: Timing, output: Duration) {
        self.success.add(took);
        self.queue.add(timing.queue);
        self.compute_input.add(input);
        self.compute_infer.add(timing.compute);
        self.compute_output.add(output);
    }

    /// A request was answered by an error.
    pub fn failed(&self, took: Duration) {
        self.fail.add(took);
    }

    /// The sums now.
    pub fn snapshot(&self) -> Snapshot {
        let runs = self.runs.iter().enumerate();
        let runs = runs.map(|(index, sum)| (index + 1, sum.total()));
        Snapshot {
            last_inference_ms: self.last_inference.load(Ordering::Relaxed),
            success: self.success.total(),
            fail: self.fail.total(),
            queue: self.queue.total(),
            compute_input: self.compute_input.total(),
            compute_infer: self.compute_infer.total(),
            compute_output: self.compute_output.total(),
            runs: runs.filter(|(_, total)| total.count > 0).collect(),
        }
    }

    fn ran(&self, report: &BatchReport) {
        if !report.succeeded {
            return;
        }
        let runs = report.rows.checked_sub(1);
        if let Some(sum) = runs.and_then(|index| self.runs.get(index)) {
            sum.add(report.compute);
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.unwrap_or_default().as_millis() as u64;
        self.last_inference.store(now, Ordering::Relaxed);
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// Rows that ran.
    pub fn inference_count(&self) -> u64 {
        let rows = |(rows, total): &(usize, Total)| *rows as u64 * total.count;
        self.runs.iter().map(rows).sum()
    }

    /// Runs.
    pub fn execution_count(&self) -> u64 {
        self.runs.iter().map(|(_, total)| total.count).sum()
    }
}

// === impl Observed ===

impl Observer for Observed {
    fn queue_depth(&self, rows: usize) {
        self.metrics.queue_depth(rows);
    }

    fn batch(&self, report: &BatchReport) {
        self.statistics.ran(report);
        self.metrics.batch(report);
    }

    fn dropped(&self, reason: DropReason, rows: usize) {
        self.metrics.dropped(reason, rows);
    }

    fn instance_replaced(&self) {
        self.metrics.instance_replaced();
    }
}

// === impl Sum ===

impl Sum {
    fn add(&self, took: Duration) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.ns.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
    }

    fn total(&self) -> Total {
        Total {
            count: self.count.load(Ordering::Relaxed),
            ns: self.ns.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_runs_are_counted_apart() {
        let statistics = Statistics::new(4);
        let ms = Duration::from_millis;
        for (rows, succeeded) in [(1, true), (4, true), (4, true), (2, false)] {
            statistics.ran(&BatchReport {
                rows,
                width: 1,
                elements: rows,
                compute: ms(rows as u64),
                waits: vec![ms(0)],
                succeeded,
            });
        }
        let timing = Timing {
            queue: ms(2),
            compute: ms(4),
            batch_size: 4,
        };
        statistics.succeeded(ms(9), ms(1), timing, ms(2));
        statistics.failed(ms(7));
        let total = |count, ms: u64| Total {
            count,
            ns: ms * 1_000_000,
        };
        let seen = statistics.snapshot();
        assert_eq!((seen.inference_count(), seen.execution_count()), (9, 3));
        assert_eq!(seen.runs, [(1, total(1, 1)), (4, total(2, 8))]);
        assert_eq!((seen.success, seen.fail), (total(1, 9), total(1, 7)));
        assert_eq!((seen.queue, seen.compute_infer), (total(1, 2), total(1, 4)));
        assert_eq!(
            (seen.compute_input, seen.compute_output),
            (total(1, 1), total(1, 2))
        );
        assert!(seen.last_inference_ms > 0);
    }
}
