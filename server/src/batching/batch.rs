//! One batch: rows gathered from many callers, and the way of each output back to its caller.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::request::{Failure, Gather, Timing};
use super::wake::wake;

/// Rows to run together, and whose they are.
pub(super) struct Batch<R, O> {
    pub(super) rows: Vec<R>,
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
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            rows: Vec::with_capacity(rows),
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
        self.rows.extend(rows);
    }

    /// For each request in the batch: its rows here, and how long they waited.
    pub(super) fn waits(&self) -> Vec<(usize, Duration)> {
        self.seats
            .iter()
            .map(|seat| (seat.len, seat.waited))
            .collect()
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
