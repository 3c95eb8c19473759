//! The waiting rows of one model and the policy that cuts them into batches: a plain value, time is passed in.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use super::batch::Batch;
use super::clock::Instant;
use super::request::{Failure, Gather};
use super::{DropReason, Settings};

/// Waiting requests, oldest first.
pub(super) struct Queue<R, O> {
    settings: Settings,
    entries: VecDeque<Entry<R, O>>,
    /// Waiting rows that somebody waits for.
    rows: usize,
    /// Waiting rows whose request is over; they are swept out before they outnumber the others.
    stale: usize,
    dropped: Vec<(DropReason, usize)>,
}

/// What is left of one request in the queue.
struct Entry<R, O> {
    gather: Arc<Gather<O>>,
    rows: smallvec::IntoIter<[R; 1]>,
    /// The request's own index of the next row.
    next: usize,
    submitted: Instant,
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
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            entries: VecDeque::new(),
            rows: 0,
            stale: 0,
            dropped: Vec::new(),
        }
    }

    /// Rows that wait and are waited for.
    pub(super) fn depth(&self) -> usize {
        self.rows
    }

    /// Requests in the queue, those that are over included.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Whether a request of `rows` rows fits.
    pub(super) fn has_room(&self, rows: usize) -> bool {
        self.rows + rows <= self.settings.max_queue_size
    }

    /// Takes a request in. The caller has asked [`Queue::has_room`].
    pub(super) fn push(&mut self, gather: Arc<Gather<O>>, rows: SmallVec<[R; 1]>, now: Instant) {
        self.rows += rows.len();
        self.entries.push_back(Entry {
            gather,
            rows: rows.into_iter(),
            next: 0,
            submitted: now,
        });
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
            self.entries
                .retain(|entry| entry.gather.waiting.load(Ordering::Relaxed) > 0);
            self.stale = 0;
        }
    }

    /// What to do now. `flush`: wait for no company, as when the server is about to stop.
    pub(super) fn next(&mut self, now: Instant, flush: bool) -> Next<R, O> {
        self.drop_dead_front(now);
        let Some(oldest) = self.entries.front() else {
            return Next::Sleep;
        };
        let ripe = oldest.submitted + self.settings.max_queue_delay;
        if flush || self.rows >= self.settings.max_batch_size || ripe <= now {
            return self.cut(now);
        }
        Next::WaitUntil(ripe)
    }

    /// Fails everything that waits.
    pub(super) fn stop(&mut self) {
        for entry in self.entries.drain(..) {
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

    /// Fills a batch from the oldest rows on, passing over those that nobody waits for any more.
    fn cut(&mut self, now: Instant) -> Next<R, O> {
        let max = self.settings.max_batch_size;
        let mut batch = Batch::with_capacity(max.min(self.rows));
        while batch.rows.len() < max {
            self.drop_dead_front(now);
            let Some(entry) = self.entries.front_mut() else {
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
                self.entries.pop_front();
            }
        }
        if batch.rows.is_empty() {
            Next::Sleep
        } else {
            Next::Run(batch)
        }
    }

    /// Removes requests from the front until there is one to compute.
    fn drop_dead_front(&mut self, now: Instant) {
        while let Some(entry) = self.entries.front() {
            if !entry.gather.is_over() && !entry.gather.is_late(now) {
                return;
            }
            let gather = Arc::clone(&entry.gather);
            let rows = entry.rows.len();
            self.entries.pop_front();
            match gather.waiting.swap(0, Ordering::Relaxed) {
                // It has left already and was counted then.
                0 => self.stale = self.stale.saturating_sub(rows),
                waiting => {
                    self.rows -= waiting;
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
