//! The waiting rows of one model and the policy that cuts them into batches: a plain value, time is
//! passed in.

use std::sync::Arc;

use smallvec::SmallVec;

use super::amount::Amount;
use super::batch::Batch;
use super::clock::Instant;
use super::flows::{Flow, Flows};
use super::lanes::{Extent, Lanes};
use super::request::{Failure, Gather};
use super::{BatchRow, Cost, DropReason, Settings};

/// Waiting requests.
pub(super) struct Queue<R, O> {
    settings: Settings,
    pub(super) cost: Cost,
    pub(super) lanes: Lanes<R, O>,
    /// The rows that wait and whose callers still wait for them.
    waiting: Amount,
    /// Rows in the lanes whose request is over. They are removed before they hold too much memory.
    stale: Amount,
    /// Rows dropped since the last report.
    pub(super) dropped: Vec<(DropReason, usize)>,
}

/// What an idle instance should do next.
pub(super) enum Next<R, O> {
    /// Run this now.
    Run(Batch<R, O>),
    /// Rows wait for a fuller batch; look again at this time, or when more come.
    WaitUntil(Instant),
    /// Nothing waits.
    Sleep,
}

/// A queue is full: which bound a request would exceed, and by how much.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the queue holds {depth} of at most {limit} {unit}, {more} more do not fit")]
pub struct QueueFull {
    /// What the bound counts: `rows`, `bytes`, or `rows of this caller`.
    pub unit: &'static str,
    /// What waits.
    pub depth: usize,
    /// The most that may wait: [`Settings::max_queue_size`], or the caller's share of it, or
    /// [`Settings::max_queue_bytes`].
    pub limit: usize,
    /// What the refused request would add.
    pub more: usize,
}

impl<R: BatchRow, O> Queue<R, O> {
    /// An empty queue of a model whose runs cost `cost`.
    pub(super) fn new(settings: Settings, cost: Cost) -> Self {
        Self {
            settings,
            cost,
            lanes: Lanes {
                lanes: Vec::new(),
                flows: Flows::default(),
            },
            waiting: Amount::default(),
            stale: Amount::default(),
            dropped: Vec::new(),
        }
    }

    /// Rows that wait and whose callers still wait for them.
    pub(super) fn depth(&self) -> usize {
        self.waiting.rows
    }

    /// Whether a request fits. Its bytes always fit an empty queue: other limits bound the size of
    /// one request, and one that never fits could not be told when to retry.
    pub(super) fn check_room(&self, more: Amount) -> Result<(), QueueFull> {
        let settings = &self.settings;
        let Amount { rows, bytes } = self.waiting;
        let more_bytes = if bytes == 0 { 0 } else { more.bytes };
        for (unit, depth, more, limit) in [
            ("rows", rows, more.rows, settings.max_queue_size),
            ("bytes", bytes, more_bytes, settings.max_queue_bytes),
        ] {
            if more > limit.saturating_sub(depth) {
                return Err(QueueFull {
                    unit,
                    depth,
                    limit,
                    more,
                });
            }
        }
        Ok(())
    }

    /// Whether more rows of this caller fit its share of the queue, see [`Flows::share`].
    pub(super) fn check_share(&self, flow: Flow, more: usize) -> Result<(), QueueFull> {
        match self.lanes.flows.share(flow, self.settings.max_queue_size) {
            Some((depth, limit)) if more > limit.saturating_sub(depth) => Err(QueueFull {
                unit: "rows of this caller",
                depth,
                limit,
                more,
            }),
            _ => Ok(()),
        }
    }

    /// Queues a request, for which [`Queue::check_room`] has found room.
    pub(super) fn push(&mut self, gather: &Arc<Gather<O>>, rows: SmallVec<[R; 1]>, now: Instant) {
        let amount = gather.waiting.amount();
        self.waiting += amount;
        self.lanes.flows.enter(gather.flow, amount.rows);
        self.lanes.push(gather, rows, now);
    }

    /// A caller has gone: its waiting rows no longer count.
    pub(super) fn leave(&mut self, gather: &Gather<O>, now: Instant) {
        if !self.drop_waiting(gather, now) {
            return;
        }
        let Amount { rows, bytes } = self.stale;
        if rows > self.waiting.rows + self.settings.max_batch_size
            || bytes > self.settings.max_queue_bytes / 4
        {
            self.lanes.sweep();
            self.stale = Amount::default();
        }
    }

    /// About the cost of the batch that [`Queue::next`] would cut now, in units of [`Cost`]; 0:
    /// nothing waits.
    pub(super) fn next_cost(&self, max: usize) -> f64 {
        let extent = match self.lanes.oldest() {
            None => return 0.0,
            // The one lane there is has rows of width 1 only: nothing to look through.
            Some(0) if self.lanes.lanes.len() == 1 => Extent {
                rows: self.waiting.rows.min(max),
                width: 1,
            },
            Some(lane) => self.plan(lane, max).0,
        };
        self.cost.of_run(extent)
    }

    /// What to do now, with a batch of `max` rows at most. With `flush`, no row waits for
    /// [`Settings::max_queue_delay`].
    pub(super) fn next(&mut self, now: Instant, flush: bool, max: usize) -> Next<R, O> {
        for lane in 0..self.lanes.lanes.len() {
            self.drop_dead_front(lane, now);
        }
        let Some(lane) = self.lanes.oldest() else {
            return Next::Sleep;
        };
        let oldest = self.lanes.lanes[lane].front();
        let submitted = oldest.map_or(now, |oldest| oldest.submitted);
        let ripe = submitted + self.settings.max_queue_delay;
        if flush || self.waiting.rows >= self.settings.max_batch_size || ripe <= now {
            return self.cut(lane, now, max);
        }
        Next::WaitUntil(ripe)
    }

    /// Fails everything that waits.
    pub(super) fn fail(&mut self, failure: &Failure) {
        for entry in self.lanes.lanes.iter_mut().flat_map(|lane| lane.drain(..)) {
            let waiting = entry.gather.waiting.take();
            if waiting.rows > 0 {
                self.dropped.push((DropReason::Stopped, waiting.rows));
                self.lanes.flows.leave(entry.gather.flow, waiting.rows);
            }
            entry.gather.fail(failure.clone());
        }
        self.waiting = Amount::default();
        self.stale = Amount::default();
    }

    /// Fills a batch from the oldest rows of a lane on, then from the lanes beside it as far as
    /// that saves work.
    fn cut(&mut self, lane: usize, now: Instant, max: usize) -> Next<R, O> {
        let others = match self.lanes.lanes.len() {
            1 => SmallVec::new(),
            _ => self.plan(lane, max).1,
        };
        let mut batch = Batch::with_capacity(max.min(self.waiting.rows));
        self.fill(&mut batch, lane, now, |queue, run, row| {
            queue.takes(run, row, max)
        });
        for other in others {
            self.fill(&mut batch, other, now, |queue, run, row| {
                queue.admits(run.with(row), max)
            });
        }
        if batch.rows.is_empty() {
            Next::Sleep
        } else {
            Next::Run(batch)
        }
    }

    /// The extent of a batch of at most `max` rows that starts with this lane's oldest rows, and
    /// the lanes whose rows join it. The next narrower lane or the next wider one joins, whichever
    /// saves more, until neither saves anything.
    fn plan(&self, lane: usize, max: usize) -> (Extent, SmallVec<[usize; 8]>) {
        let takes = |run: Extent, row: &R| self.takes(run, row, max);
        let mut batch = self.lanes.extent(lane, takes);
        let mut others = SmallVec::new();
        let (mut narrowest, mut widest) = (lane, lane);
        while batch.rows < max {
            let beside = [self.lanes.below(narrowest), self.lanes.above(widest)];
            let joins = beside.into_iter().flatten().filter_map(|lane| {
                let (saves, batch) = self.join(lane, batch, max)?;
                Some((saves, batch, lane))
            });
            let Some((_, joined, lane)) = joins.max_by(|one, other| one.0.total_cmp(&other.0))
            else {
                break;
            };
            batch = joined;
            others.push(lane);
            (narrowest, widest) = (narrowest.min(lane), widest.max(lane));
        }
        (batch, others)
    }

    /// What a batch saves by taking all rows of a lane along, and the batch with them. `None`:
    /// there is no room for all, or they cost less in a run of their own.
    fn join(&self, lane: usize, batch: Extent, max: usize) -> Option<(f64, Extent)> {
        let room = max.saturating_sub(batch.rows);
        let theirs = self.lanes.extent(lane, |run, _| run.rows <= room);
        let joined = batch.and(theirs);
        let saves = self.cost.saves(batch, theirs)?;
        (theirs.rows > 0 && self.admits(joined, max)).then_some((saves, joined))
    }

    /// Whether one run of at most `max` rows may take so much.
    fn admits(&self, run: Extent, max: usize) -> bool {
        run.rows <= max && self.settings.admit(run)
    }

    /// Whether a run takes one more row of its own lane: padding must cost no more than a run of
    /// the row alone saves.
    fn takes(&self, run: Extent, row: &R, max: usize) -> bool {
        let (alone, joined) = (Extent::default().with(row), run.with(row));
        let is_like =
            run.rows == 0 || run.width == alone.width || self.cost.saves(run, alone).is_some();
        is_like && self.admits(joined, max)
    }

    /// Moves the oldest rows of a lane to a batch, as long as it `takes` one more. Rows whose
    /// caller has gone are skipped.
    fn fill(
        &mut self,
        batch: &mut Batch<R, O>,
        lane: usize,
        now: Instant,
        takes: impl Fn(&Self, Extent, &R) -> bool,
    ) {
        loop {
            self.drop_dead_front(lane, now);
            let Some(entry) = self.lanes.lanes[lane].front() else {
                break;
            };
            let mut extent = batch.extent();
            let fits = |row: &&R| {
                let is_taken = takes(self, extent, row);
                extent = extent.with(*row);
                is_taken
            };
            let len = entry.rows.as_slice().iter().take_while(fits).count();
            if len == 0 {
                break;
            }
            let Some(entry) = self.lanes.lanes[lane].front_mut() else {
                break;
            };
            let taken = Amount::of(&entry.rows.as_slice()[..len]);
            let waited = now.saturating_duration_since(entry.submitted);
            batch.add(
                Arc::clone(&entry.gather),
                entry.next,
                entry.rows.by_ref().take(len),
                waited,
            );
            entry.next += len;
            entry.gather.waiting.subtract(taken);
            self.lanes.flows.run(entry.start);
            self.lanes.flows.leave(entry.gather.flow, taken.rows);
            self.waiting -= taken;
            if entry.rows.len() == 0 {
                self.lanes.lanes[lane].pop_front();
            }
        }
    }

    /// Removes requests from the front of a lane until there is one to compute.
    fn drop_dead_front(&mut self, lane: usize, now: Instant) {
        while let Some(entry) = self.lanes.lanes[lane].front() {
            if !entry.gather.is_over() && !entry.gather.is_late(now) {
                return;
            }
            let gather = Arc::clone(&entry.gather);
            let here = Amount::of(entry.rows.as_slice());
            self.lanes.lanes[lane].pop_front();
            if self.drop_waiting(&gather, now) && gather.is_late(now) {
                gather.fail(Failure::Deadline);
            }
            self.stale -= here;
        }
    }

    /// Counts what waits of a request as dropped. False: it has been counted already.
    fn drop_waiting(&mut self, gather: &Gather<O>, now: Instant) -> bool {
        let dropped = gather.waiting.take();
        if dropped.rows == 0 {
            return false;
        }
        self.waiting -= dropped;
        self.lanes.flows.leave(gather.flow, dropped.rows);
        self.stale += dropped;
        let reason = if gather.is_late(now) {
            DropReason::Deadline
        } else {
            DropReason::Cancelled
        };
        self.dropped.push((reason, dropped.rows));
        true
    }
}
