//! The waiting rows of one model and the policy that cuts them into batches: a plain value, time is passed in.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use super::batch::Batch;
use super::clock::Instant;
use super::lanes::{Extent, Lanes};
use super::request::{Failure, Gather};
use super::{DropReason, Settings};

/// Waiting requests.
pub(super) struct Queue<R, O> {
    settings: Settings,
    lanes: Lanes<R, O>,
    /// Waiting rows that somebody waits for.
    rows: usize,
    /// Waiting rows whose request is over; they are swept out before they outnumber the others.
    stale: usize,
    dropped: Vec<(DropReason, usize)>,
}

/// What an idle instance should do.
pub(super) enum Next<R, O> {
    /// Run this now.
    Run(Batch<R, O>),
    /// Rows wait for company; look again at this time, or when more come.
    WaitUntil(Instant),
    /// Nothing waits.
    Sleep,
}

impl<R, O> Queue<R, O> {
    /// An empty queue for rows whose widths are told by `width`.
    pub(super) fn new(settings: Settings, width: fn(&R) -> usize) -> Self {
        Self {
            settings,
            lanes: Lanes::new(width),
            rows: 0,
            stale: 0,
            dropped: Vec::new(),
        }
    }

    /// Rows that wait and are waited for.
    pub(super) fn depth(&self) -> usize {
        self.rows
    }

    /// Runs of rows in the queue, those that are over included.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.lanes.entries()
    }

    /// Whether a request of `rows` rows fits.
    pub(super) fn has_room(&self, rows: usize) -> bool {
        self.rows + rows <= self.settings.max_queue_size
    }

    /// Takes a request in. The caller has asked [`Queue::has_room`].
    pub(super) fn push(&mut self, gather: &Arc<Gather<O>>, rows: SmallVec<[R; 1]>, now: Instant) {
        self.rows += rows.len();
        self.lanes.push(gather, rows, now);
    }

    /// A caller has gone: its waiting rows no longer count.
    pub(super) fn leave(&mut self, gather: &Gather<O>, now: Instant) {
        let waiting = gather.waiting.swap(0, Ordering::Relaxed);
        if waiting == 0 {
            return;
        }
        self.rows -= waiting;
        self.stale += waiting;
        let reason = if gather.is_late(now) {
            DropReason::Deadline
        } else {
            DropReason::Cancelled
        };
        self.dropped.push((reason, waiting));
        if self.stale > self.rows + self.settings.max_batch_size {
            self.lanes.sweep();
            self.stale = 0;
        }
    }

    /// About the load of the batch that [`Queue::next`] would cut now, see [`Settings::load`]; 0: nothing waits.
    pub(super) fn next_load(&self, max: usize) -> usize {
        let extent = match self.lanes.oldest() {
            None => return 0,
            // The one lane there is has rows of width 1 only: nothing to look through.
            Some(0) if self.lanes.count() == 1 => Extent {
                rows: self.rows.min(max),
                width: 1,
            },
            Some(lane) => {
                let mut extent = self.lanes.extent(lane, max);
                for narrower in (0..lane).rev() {
                    extent.rows += self.joining(narrower, extent, max);
                }
                extent
            }
        };
        self.settings.load(extent.rows, extent.width)
    }

    /// What to do now, with a batch of `max` rows at most. `flush`: wait for no company, as when the server is about to
    /// stop.
    pub(super) fn next(&mut self, now: Instant, flush: bool, max: usize) -> Next<R, O> {
        for lane in 0..self.lanes.count() {
            self.drop_dead_front(lane, now);
        }
        let Some(lane) = self.lanes.oldest() else {
            return Next::Sleep;
        };
        let submitted = self
            .lanes
            .front(lane)
            .map_or(now, |oldest| oldest.submitted);
        let ripe = submitted + self.settings.max_queue_delay;
        if flush || self.rows >= self.settings.max_batch_size || ripe <= now {
            return self.cut(lane, now, max);
        }
        Next::WaitUntil(ripe)
    }

    /// Fails everything that waits.
    pub(super) fn stop(&mut self) {
        for entry in self.lanes.drain() {
            let waiting = entry.gather.waiting.swap(0, Ordering::Relaxed);
            if waiting > 0 {
                self.dropped.push((DropReason::Stopped, waiting));
            }
            entry.gather.fail(Failure::Stopped);
        }
        self.rows = 0;
        self.stale = 0;
    }

    /// What was dropped since the last call, for the metrics.
    pub(super) fn take_dropped(&mut self) -> Vec<(DropReason, usize)> {
        std::mem::take(&mut self.dropped)
    }

    /// Fills a batch from the oldest rows of a lane on, then from narrower lanes as far as that saves work.
    fn cut(&mut self, lane: usize, now: Instant, max: usize) -> Next<R, O> {
        let mut batch = Batch::with_capacity(max.min(self.rows), self.lanes.width());
        self.fill(&mut batch, lane, now, max);
        for narrower in (0..lane).rev() {
            if self.joining(narrower, batch.extent(), max) > 0 {
                self.fill(&mut batch, narrower, now, max);
            }
        }
        if batch.rows.is_empty() {
            Next::Sleep
        } else {
            Next::Run(batch)
        }
    }

    /// How many rows of a narrower lane a batch should take along: all, if it has room for them and they cost less here,
    /// though they are padded, than in a run of their own; else none.
    fn joining(&self, lane: usize, batch: Extent, max: usize) -> usize {
        let room = max.saturating_sub(batch.rows);
        if room == 0 {
            return 0;
        }
        let theirs = self.lanes.extent(lane, room + 1);
        let alone = self.settings.load(theirs.rows, theirs.width);
        if theirs.rows <= room && theirs.rows * batch.width < alone {
            theirs.rows
        } else {
            0
        }
    }

    /// Seats the oldest rows of a lane, passing over those that nobody waits for any more.
    fn fill(&mut self, batch: &mut Batch<R, O>, lane: usize, now: Instant, max: usize) {
        while batch.rows.len() < max {
            self.drop_dead_front(lane, now);
            let Some(entry) = self.lanes.front_mut(lane) else {
                break;
            };
            let len = entry.rows.len().min(max - batch.rows.len());
            let waited = now.saturating_duration_since(entry.submitted);
            batch.seat(
                Arc::clone(&entry.gather),
                entry.next,
                entry.rows.by_ref().take(len),
                waited,
            );
            entry.next += len;
            entry.gather.waiting.fetch_sub(len, Ordering::Relaxed);
            self.rows -= len;
            if entry.rows.len() == 0 {
                self.lanes.pop(lane);
            }
        }
    }

    /// Removes requests from the front of a lane until there is one to compute.
    fn drop_dead_front(&mut self, lane: usize, now: Instant) {
        while let Some(entry) = self.lanes.front(lane) {
            if !entry.gather.is_over() && !entry.gather.is_late(now) {
                return;
            }
            let gather = Arc::clone(&entry.gather);
            let rows = entry.rows.len();
            self.lanes.pop(lane);
            match gather.waiting.swap(0, Ordering::Relaxed) {
                // It has left already and was counted then.
                0 => self.stale = self.stale.saturating_sub(rows),
                waiting => {
                    self.rows -= waiting;
                    // What else it has in the lanes.
                    self.stale += waiting - rows;
                    let late = gather.is_late(now);
                    let reason = if late {
                        DropReason::Deadline
                    } else {
                        DropReason::Cancelled
                    };
                    self.dropped.push((reason, waiting));
                    if late {
                        gather.fail(Failure::Deadline);
                    }
                }
            }
        }
    }
}
