//! What a model version has done since it was loaded, as the Open Inference Protocol's
//! ModelStatistics tells it.
//!
//! The metrics say the same and more over time; these are plain sums that can be read back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::batching::{BatchReport, Timing};

/// Counts and sums of durations, written with relaxed atomics: a reading may fall between two of
/// one request.
#[derive(Debug, Default)]
pub struct Statistics {
    last_inference: AtomicU64,
    /// Requests that were answered, from their arrival to their answer.
    pub success: Sum,
    /// Requests that reached the model and were answered by an error; those whose caller went away
    /// are in neither.
    pub fail: Sum,
    /// Waiting for an instance; of answered requests, as are the next three.
    pub queue: Sum,
    /// Decoding and pre-processing.
    pub compute_input: Sum,
    /// Running.
    pub compute_infer: Sum,
    /// From outputs to an answer.
    pub compute_output: Sum,
    /// Runs that succeeded, by their number of rows, one row first.
    pub runs: Box<[Sum]>,
}

/// How many, and how long together.
#[derive(Debug, Default)]
pub struct Sum {
    count: AtomicU64,
    ns: AtomicU64,
}

impl Statistics {
    /// All zero, for a model whose runs take up to `max_batch_size` rows.
    pub fn new(max_batch_size: usize) -> Self {
        Self {
            runs: (0..max_batch_size).map(|_| Sum::default()).collect(),
            ..Self::default()
        }
    }

    /// A request was answered after `took` in all: `input` before the batching core, `timing`
    /// inside, `output` after.
    pub fn succeeded(&self, took: Duration, input: Duration, timing: Timing, output: Duration) {
        self.success.add(took);
        self.queue.add(timing.queue);
        self.compute_input.add(input);
        self.compute_infer.add(timing.compute);
        self.compute_output.add(output);
    }

    /// A run has ended. Only those that succeeded are counted.
    pub(crate) fn ran(&self, report: &BatchReport) {
        if !report.succeeded {
            return;
        }
        let index = report.rows.checked_sub(1);
        if let Some(sum) = index.and_then(|index| self.runs.get(index)) {
            sum.add(report.compute);
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.unwrap_or_default().as_millis() as u64;
        self.last_inference.store(now, Ordering::Relaxed);
    }

    /// Milliseconds since 1970 of the last run; 0: none yet.
    pub fn last_inference_ms(&self) -> u64 {
        self.last_inference.load(Ordering::Relaxed)
    }
}

impl Sum {
    /// One more, which took so long.
    pub(crate) fn add(&self, took: Duration) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.ns.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Their durations' sum in nanoseconds.
    pub fn ns(&self) -> u64 {
        self.ns.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_succeed_are_counted_by_their_rows() {
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
        statistics.succeeded(ms(9), ms(1), timing, ms(3));
        statistics.fail.add(ms(7));
        let read = |sum: &Sum| (sum.count(), sum.ns() / 1_000_000);
        let runs: Vec<_> = statistics.runs.iter().map(read).collect();
        assert_eq!(runs, [(1, 1), (0, 0), (0, 0), (2, 8)]);
        for (sum, total) in [
            (&statistics.success, (1, 9)),
            (&statistics.fail, (1, 7)),
            (&statistics.queue, (1, 2)),
            (&statistics.compute_input, (1, 1)),
            (&statistics.compute_infer, (1, 4)),
            (&statistics.compute_output, (1, 3)),
        ] {
            assert_eq!(read(sum), total);
        }
        assert!(statistics.last_inference_ms() > 0);
    }
}
