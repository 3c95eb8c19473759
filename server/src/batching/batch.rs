//! One batch: rows gathered from many callers, and the way of each output back to its caller.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::lanes::Extent;
use super::request::{Failure, Gather, Timing};
use super::wake::wake;

/// Rows to run together, and whose they are.
pub(super) struct Batch<R, O> {
    pub(super) rows: Vec<R>,
    /// The rows' widths together.
    pub(super) elements: usize,
    widest: usize,
    width: fn(&R) -> usize,
    seats: Vec<Seat<O>>,
}

/// A run of rows of one request inside a batch.
struct Seat<O> {
    gather: Arc<Gather<O>>,
    /// The request's own index of its first row here.
    first: usize,
    len: usize,
    waited: Duration,
}

impl<R, O> Batch<R, O> {
    pub(super) fn with_capacity(rows: usize, width: fn(&R) -> usize) -> Self {
        Self {
            rows: Vec::with_capacity(rows),
            elements: 0,
            widest: 0,
            width,
            seats: Vec::with_capacity(rows),
        }
    }

    /// Seats rows `first..` of a request that have waited for `waited`.
    pub(super) fn seat(
        &mut self,
        gather: Arc<Gather<O>>,
        first: usize,
        rows: impl ExactSizeIterator<Item = R>,
        waited: Duration,
    ) {
        self.seats.push(Seat {
            gather,
            first,
            len: rows.len(),
            waited,
        });
        for row in rows {
            let width = (self.width)(&row);
            self.elements += width;
            self.widest = self.widest.max(width);
            self.rows.push(row);
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
        let mut waits: Vec<(usize, Duration)> = Vec::with_capacity(self.seats.len());
        let mut last: Option<&Arc<Gather<O>>> = None;
        for seat in &self.seats {
            match waits.last_mut() {
                // Another run of rows of the same request.
                Some(wait) if last.is_some_and(|last| Arc::ptr_eq(last, &seat.gather)) => {
                    wait.0 += seat.len;
                }
                _ => waits.push((seat.len, seat.waited)),
            }
            last = Some(&seat.gather);
        }
        waits
    }

    /// Hands every caller the outputs of its own rows. `outputs` holds one per row, in order.
    pub(super) fn scatter(mut self, outputs: &mut Vec<O>, compute: Duration) {
        let batch_size = self.rows.len();
        let mut outputs = outputs.drain(..);
        let mut answered = SmallVec::new();
        for seat in self.seats.drain(..) {
            let timing = Timing {
                queue: seat.waited,
                compute,
                batch_size,
            };
            let own = outputs.by_ref().take(seat.len);
            answered.extend(seat.gather.fulfil(seat.first, own, timing));
        }
        wake(answered);
    }

    /// Tells every caller that the batch failed.
    pub(super) fn fail(mut self, failure: &Failure) {
        for seat in self.seats.drain(..) {
            seat.gather.fail(failure.clone());
        }
    }
}

/// A batch that is let go of still answers: no caller waits for ever, whatever panics.
impl<R, O> Drop for Batch<R, O> {
    fn drop(&mut self) {
        for seat in self.seats.drain(..) {
            seat.gather
                .fail(Failure::Backend("the batch was lost".to_owned()));
        }
    }
}
