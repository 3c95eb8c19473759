//! One batch: rows gathered from many callers, and the way of each output back to its caller.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::BatchRow;
use super::lanes::Extent;
use super::request::{Failure, Gather, Timing};
use super::wake::wake;

/// Rows to run together, and whose they are.
pub(super) struct Batch<R, O> {
    pub(super) rows: Vec<R>,
    /// The rows' widths together.
    pub(super) elements: usize,
    widest: usize,
    segments: Vec<Segment<O>>,
}

/// Neighbouring rows of one request inside a batch.
struct Segment<O> {
    gather: Arc<Gather<O>>,
    /// The request's own index of its first row here.
    first: usize,
    len: usize,
    waited: Duration,
}

impl<R: BatchRow, O> Batch<R, O> {
    /// Adds rows `first..` of a request that have waited for `waited`.
    pub(super) fn add(
        &mut self,
        gather: Arc<Gather<O>>,
        first: usize,
        rows: impl ExactSizeIterator<Item = R>,
        waited: Duration,
    ) {
        self.segments.push(Segment {
            gather,
            first,
            len: rows.len(),
            waited,
        });
        for row in rows {
            let width = row.width();
            self.elements += width;
            self.widest = self.widest.max(width);
            self.rows.push(row);
        }
    }
}

impl<R, O> Batch<R, O> {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            rows: Vec::with_capacity(rows),
            elements: 0,
            widest: 0,
            segments: Vec::with_capacity(rows),
        }
    }

    /// How many rows there are, and the width of the widest.
    pub(super) fn extent(&self) -> Extent {
        Extent {
            rows: self.rows.len(),
            width: self.widest,
        }
    }

    /// For each request in the batch: its rows here, and how long they waited.
    pub(super) fn waits(&self) -> Vec<(usize, Duration)> {
        let mut waits: Vec<(usize, Duration)> = Vec::with_capacity(self.segments.len());
        let mut last: Option<&Arc<Gather<O>>> = None;
        for segment in &self.segments {
            match waits.last_mut() {
                Some(wait) if last.is_some_and(|last| Arc::ptr_eq(last, &segment.gather)) => {
                    wait.0 += segment.len;
                }
                _ => waits.push((segment.len, segment.waited)),
            }
            last = Some(&segment.gather);
        }
        waits
    }

    /// Hands every caller the outputs of its own rows. `outputs` holds one per row, in order.
    pub(super) fn scatter(mut self, outputs: &mut Vec<O>, compute: Duration) {
        let batch_size = self.rows.len();
        let mut outputs = outputs.drain(..);
        let mut answered = SmallVec::new();
        for segment in self.segments.drain(..) {
            let timing = Timing {
                queue: segment.waited,
                compute,
                batch_size,
            };
            let own = outputs.by_ref().take(segment.len);
            answered.extend(segment.gather.fulfil(segment.first, own, timing));
        }
        wake(answered);
    }

    /// Tells every caller that the batch failed.
    pub(super) fn fail(mut self, failure: &Failure) {
        for segment in self.segments.drain(..) {
            segment.gather.fail(failure.clone());
        }
    }
}

/// A batch that is dropped still answers: no caller waits for ever, whatever panics.
impl<R, O> Drop for Batch<R, O> {
    fn drop(&mut self) {
        for segment in self.segments.drain(..) {
            segment
                .gather
                .fail(Failure::Backend("the batch was lost".to_owned()));
        }
    }
}
