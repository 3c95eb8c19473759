//! One batch: rows of many callers, and which outputs belong to which caller.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::BatchRow;
use super::lanes::Extent;
use super::request::{Failure, Gather, Timing};
use super::wake::wake;

/// Rows to run together, and the requests they belong to.
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

    /// How long each request in the batch waited.
    pub(super) fn waits(&self) -> Vec<Duration> {
        let mut waits = Vec::with_capacity(self.segments.len());
        let same = |a: &Segment<O>, b: &Segment<O>| Arc::ptr_eq(&a.gather, &b.gather);
        let requests = self.segments.chunk_by(same);
        waits.extend(requests.map(|segments| segments[0].waited));
        waits
    }

    /// The rows of each request as a batch of their own.
    pub(super) fn requests(mut self) -> Vec<Self>
    where
        R: BatchRow,
    {
        let mut rows = std::mem::take(&mut self.rows).into_iter();
        let mut requests: Vec<Self> = Vec::with_capacity(self.segments.len());
        for segment in self.segments.drain(..) {
            let is_next = |it: &Segment<O>| !Arc::ptr_eq(&it.gather, &segment.gather);
            let previous = requests.last().and_then(|it| it.segments.last());
            if previous.is_none_or(is_next) {
                requests.push(Self::with_capacity(segment.len));
            }
            let own: Vec<R> = rows.by_ref().take(segment.len).collect();
            if let Some(request) = requests.last_mut() {
                let Segment {
                    gather,
                    first,
                    waited,
                    ..
                } = segment;
                request.add(gather, first, own.into_iter(), waited);
            }
        }
        requests
    }

    /// Answers every caller with the outputs of its own rows. `outputs` holds one per row, in
    /// order.
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

    /// Answers every caller with this failure.
    pub(super) fn fail(&mut self, message: &str) {
        for segment in self.segments.drain(..) {
            segment.gather.fail(Failure::Backend(message.to_owned()));
        }
    }
}

/// A batch that is dropped still answers: no caller waits for ever, whatever panics.
impl<R, O> Drop for Batch<R, O> {
    fn drop(&mut self) {
        self.fail("the batch was lost");
    }
}
