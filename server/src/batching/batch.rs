//! One batch: rows gathered from many callers, and the way of each output back to its caller.

use std::sync::Arc;
use std::time::Duration;

use super::request::{Failure, Gather, Timing};

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
    pub(super) fn scatter(self, outputs: &mut Vec<O>, compute: Duration) {
        let batch_size = self.rows.len();
        let mut outputs = outputs.drain(..);
        for seat in self.seats {
            let timing = Timing {
                queue: seat.waited,
                compute,
                batch_size,
            };
            seat.gather
                .fulfil(seat.first, outputs.by_ref().take(seat.len), timing);
        }
    }

    /// Tells every caller that the batch failed.
    pub(super) fn fail(self, failure: &Failure) {
        for seat in self.seats {
            seat.gather.fail(failure.clone());
        }
    }
}
