//! What an engine's threads and callers share: the queue, the instances that run nothing, and who sleeps.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smallvec::SmallVec;

use super::backlog::Backlog;
use super::batch::Batch;
use super::clock::Instant;
use super::engine::Refusal;
use super::instance::{Instance, Ran};
use super::lanes::Extent;
use super::queue::{Next, Queue};
use super::request::{Gather, Leave, Ticket};
use super::state::{Costs, Phase, State};
use super::{Backend, BackendFactory, Clock, DropReason, Observer, Settings};

/// The shared part of an engine.
pub(super) struct Pool<B: Backend> {
    pub(super) settings: Settings,
    clock: Clock,
    observer: Arc<dyn Observer>,
    backlog: Arc<Backlog>,
    factory: BackendFactory<B>,
    state: Mutex<State<B>>,
    /// Notified when a sleeping thread should look at the queue.
    pub(super) wake: Condvar,
    /// Set when rows have come that nobody has looked at yet.
    stirred: AtomicBool,
    /// Rows waiting, as of the last report.
    depth: AtomicUsize,
    /// See [`super::Engine::is_behind`].
    is_behind: AtomicBool,
}

/// A batch and the instance to run it.
pub(super) struct Job<B: Backend> {
    instance: Instance<B>,
    batch: Batch<B::Row, B::Output>,
}

// === impl Pool ===

impl<B: Backend> Leave<B::Output> for Pool<B> {
    fn leave(&self, gather: &Gather<B::Output>) {
        gather.end();
        let mut state = self.lock();
        state.queue.leave(gather, self.clock.now());
        self.report(&mut state);
    }
}

impl<B: Backend> Pool<B> {
    pub(super) fn new(
        settings: Settings,
        backends: Vec<B>,
        factory: BackendFactory<B>,
        clock: Clock,
        observer: Arc<dyn Observer>,
        backlog: Arc<Backlog>,
    ) -> Self {
        let state = State {
            queue: Queue::new(settings, B::width),
            phase: Phase::Open,
            instances: backends.len(),
            idle: backends.into_iter().map(Instance::new).collect(),
            sleepers: 0,
            costs: None,
            running_behind: 0,
        };
        Self {
            settings,
            clock,
            observer,
            backlog,
            factory,
            state: Mutex::new(state),
            wake: Condvar::new(),
            stirred: AtomicBool::new(false),
            depth: AtomicUsize::new(0),
            is_behind: AtomicBool::new(false),
        }
    }

    /// See [`super::Engine::check_room`].
    pub(super) fn check_room(&self, rows: usize) -> Result<(), Refusal> {
        if self.depth.load(Ordering::Relaxed) + rows <= self.settings.max_queue_size {
            return Ok(());
        }
        self.admit(&self.lock(), rows)
    }

    /// See [`super::Engine::is_behind`].
    pub(super) fn is_behind(&self) -> bool {
        self.is_behind.load(Ordering::Relaxed)
    }

    /// See [`super::Engine::submit`].
    pub(super) fn submit(
        self: &Arc<Self>,
        rows: SmallVec<[B::Row; 1]>,
        deadline: Option<Instant>,
    ) -> Result<Ticket<B::Output>, Refusal> {
        let count = rows.len();
        let gather = Arc::new(Gather::new(count, deadline));
        let mut state = self.lock();
        self.admit(&state, count)?;
        let was_empty = state.queue.depth() == 0;
        state.queue.push(&gather, rows, self.clock.now());
        self.report(&mut state);
        // With a delay, one sleeper minds the timer of the first row; a look is needed again only for a full batch.
        let worth_a_look = was_empty
            || self.settings.max_queue_delay.is_zero()
            || state.queue.depth() >= self.settings.max_batch_size;
        drop(state);
        if worth_a_look {
            self.stirred.store(true, Ordering::Release);
        }
        Ok(Ticket::new(Arc::clone(self) as Arc<dyn Leave<_>>, gather))
    }

    /// Whether so many more rows are accepted.
    fn admit(&self, state: &State<B>, rows: usize) -> Result<(), Refusal> {
        if state.phase == Phase::Stopped {
            return Err(Refusal::Stopped);
        }
        if state.queue.has_room(rows) {
            return Ok(());
        }
        self.observer.dropped(DropReason::QueueFull, rows);
        Err(Refusal::QueueFull {
            depth: state.queue.depth(),
            limit: self.settings.max_queue_size,
            rows,
            retry_after: state.retry_after(),
        })
    }

    /// See [`super::Engine::dispatch`].
    pub(super) fn dispatch(&self) {
        if !self.stirred.swap(false, Ordering::AcqRel) {
            return;
        }
        let mut budget = self.settings.max_inline_compute;
        while let Some((job, cost)) = self.take_short_job(budget) {
            budget -= cost;
            self.run(job);
        }
        self.wake_sleeper();
    }

    /// See [`super::Engine::hurry`].
    pub(super) fn hurry(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Hurried;
        }
        drop(state);
        self.wake.notify_all();
    }

    /// See [`super::Engine::stop`].
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.phase = Phase::Stopped;
        state.queue.stop();
        self.report(&mut state);
        drop(state);
        self.wake.notify_all();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the observer and the backlog how the queue stands.
    fn report(&self, state: &mut State<B>) {
        self.update_backlog(state);
        self.depth.store(state.queue.depth(), Ordering::Relaxed);
        self.observer.queue_depth(state.queue.depth());
        for (reason, rows) in state.queue.take_dropped() {
            self.observer.dropped(reason, rows);
        }
    }

    fn update_backlog(&self, state: &mut State<B>) {
        let is_behind = state.is_behind();
        self.is_behind.store(is_behind, Ordering::Relaxed);
        let running = state.instances - state.idle.len();
        let now = if is_behind { running } else { 0 };
        let before = std::mem::replace(&mut state.running_behind, now);
        if now != before {
            self.backlog.update(before, now);
        }
    }

    /// A thread's life: take a batch and an instance, run, until there is nothing more to come.
    pub(super) fn run_thread(&self) {
        while let Some(job) = self.next_job() {
            self.run(job);
        }
    }

    /// Sleeps until there is a batch and an instance for it; `None` when there never will be.
    fn next_job(&self) -> Option<Job<B>> {
        let mut state = self.lock();
        loop {
            let hurried = state.phase != Phase::Open;
            let mut timeout = None;
            if state.idle.is_empty() {
                // Whoever gives an instance back looks for sleepers. Without instances there is nothing to wait for.
                if state.instances == 0 {
                    return None;
                }
            } else {
                let now = self.clock.now();
                let max = state.share(&self.settings);
                let next = state.queue.next(now, hurried, max);
                self.report(&mut state);
                match next {
                    Next::Run(batch) => return self.job(&mut state, batch),
                    Next::Sleep if state.phase == Phase::Stopped => return None,
                    Next::Sleep => {}
                    Next::WaitUntil(ripe) => timeout = Some(ripe.saturating_duration_since(now)),
                }
            }
            state.sleepers += 1;
            state = self.clock.wait(&self.wake, state, timeout);
            state.sleepers -= 1;
        }
    }

    /// A job for a caller's own thread, and what it is expected to cost, if that is within `budget`.
    fn take_short_job(&self, budget: Duration) -> Option<(Job<B>, Duration)> {
        let mut state = self.lock();
        let rows = state.queue.depth().min(self.settings.max_batch_size);
        let max = state.share(&self.settings);
        let cost = state.costs?.load * state.queue.next_load(max) as u32;
        // A delay is waited for by the threads.
        let wait = state.phase == Phase::Open
            && !self.settings.max_queue_delay.is_zero()
            && rows < self.settings.max_batch_size;
        if rows == 0 || cost >= budget || wait || state.idle.is_empty() {
            return None;
        }
        let next = state.queue.next(self.clock.now(), false, max);
        self.report(&mut state);
        let Next::Run(batch) = next else { return None };
        self.job(&mut state, batch).map(|job| (job, cost))
    }

    /// Pairs a batch with an idle instance, and wakes a sleeper for what is left.
    fn job(&self, state: &mut State<B>, batch: Batch<B::Row, B::Output>) -> Option<Job<B>> {
        let instance = state.idle.pop()?;
        self.update_backlog(state);
        if state.queue.depth() > 0 && state.sleepers > 0 && !state.idle.is_empty() {
            self.wake.notify_one();
        }
        Some(Job { instance, batch })
    }

    /// Runs a batch, answers its callers and gives the instance back, or its replacement.
    fn run(&self, job: Job<B>) {
        let Job {
            mut instance,
            batch,
        } = job;
        let Extent { rows, width } = batch.extent();
        let Ran { compute, sound } = instance.run(batch, &self.clock, &*self.observer);
        let instance = if sound {
            Some(instance)
        } else {
            self.observer.instance_replaced();
            Instance::replace(&self.factory)
        };
        let mut state = self.lock();
        let ran = Costs {
            row: compute / rows.max(1) as u32,
            load: compute / self.settings.load(rows, width).max(1) as u32,
        };
        state.costs = Some(state.costs.map_or(ran, |costs| costs.then(ran)));
        match instance {
            Some(instance) => state.idle.push(instance),
            None => state.instances -= 1,
        }
        if state.instances == 0 {
            state.phase = Phase::Stopped;
            state.queue.stop();
        }
        self.report(&mut state);
        if state.phase == Phase::Stopped {
            // Threads that slept for want of an instance can end now.
            self.wake.notify_all();
        }
    }

    /// Wakes a thread if there is something for it to do.
    fn wake_sleeper(&self) {
        let state = self.lock();
        let useful = state.queue.depth() > 0 && state.sleepers > 0 && !state.idle.is_empty();
        drop(state);
        if useful {
            self.wake.notify_one();
        }
    }
}
