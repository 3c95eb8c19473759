//! What an engine's threads and callers share: the queue, the instances that run nothing, and who sleeps.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smallvec::SmallVec;

use super::batch::Batch;
use super::clock::Instant;
use super::engine::Refusal;
use super::instance::{Instance, Ran};
use super::lanes::Extent;
use super::queue::{Next, Queue};
use super::request::{Gather, Leave, Ticket};
use super::{Backend, BackendFactory, Clock, DropReason, Observer, Settings};

/// What a thread must have to do for it to pay that it is woken: about what it costs to wake one, on both sides.
const WORTH_A_WAKE: Duration = Duration::from_micros(50);

/// A run of so long hides what it costs to hand rows over, so that two of half the size cost no more than one.
const LONG_RUN: Duration = Duration::from_micros(500);

/// A run of so many times the rows that a run costs beside its own is as cheap by the row as a larger one, nearly.
const MANY_OVERHEADS: usize = 4;

/// The shared part of an engine.
pub(super) struct Pool<B: Backend> {
    pub(super) settings: Settings,
    clock: Clock,
    observer: Arc<dyn Observer>,
    factory: BackendFactory<B>,
    state: Mutex<State<B>>,
    /// Notified when a sleeping thread should look at the queue.
    pub(super) wake: Condvar,
    /// Set when rows have come that nobody has looked at yet.
    stirred: AtomicBool,
}

pub(super) struct State<B: Backend> {
    pub(super) queue: Queue<B::Row, B::Output>,
    phase: Phase,
    /// Instances that run nothing.
    idle: Vec<Instance<B>>,
    /// Instances in all, running ones included.
    instances: usize,
    /// Threads that sleep on `wake`.
    pub(super) sleepers: usize,
    /// What things have cost lately; unknown until the first batch has run.
    costs: Option<Costs>,
}

/// Moving averages of what runs cost.
#[derive(Clone, Copy)]
struct Costs {
    /// Of a row, whatever its width.
    row: Duration,
    /// Of a unit of [`Settings::load`].
    load: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Takes requests.
    Open,
    /// Takes requests and waits for no company.
    Hurried,
    /// Takes nothing, finishes only what runs.
    Stopped,
}

/// A batch and the instance to run it.
pub(super) struct Job<B: Backend> {
    instance: Instance<B>,
    batch: Batch<B::Row, B::Output>,
}

// === impl State ===

impl<B: Backend> State<B> {
    /// About when the rows that wait now will have been run.
    fn retry_after(&self) -> Duration {
        let rows = self.queue.depth().div_ceil(self.instances.max(1)) as u32;
        let row = self.costs.map_or(Duration::ZERO, |costs| costs.row);
        (row * rows).clamp(Duration::from_millis(10), Duration::from_secs(5))
    }

    /// The most rows for the next batch. What waits is shared out among the idle instances, where a share is worth waking
    /// one more; and among all, where a share is a long run in itself: one that took everything would leave the next
    /// instance to be free with nothing to do, and its own callers would wait twice as long ("guided self-scheduling",
    /// Polychronopoulos and Kuck, 1987). With a delay that is left alone: what is left of a full batch would wait again.
    fn share(&self, settings: &Settings) -> usize {
        let cost = |rows: usize| self.costs.map_or(Duration::ZERO, |costs| costs.row) * rows as u32;
        let share = |instances: usize| self.queue.depth().div_ceil(instances.max(1));
        let (of_all, of_idle) = (share(self.instances), share(self.idle.len()));
        let is_long = cost(of_all) >= LONG_RUN
            && of_all >= MANY_OVERHEADS * settings.overhead_rows
            && settings.max_queue_delay.is_zero();
        let rows = if is_long {
            of_all
        } else if cost(of_idle) >= WORTH_A_WAKE {
            of_idle
        } else {
            settings.max_batch_size
        };
        rows.min(settings.max_batch_size)
    }
}

// === impl Costs ===

impl Costs {
    /// One part new in eight: a few batches settle it, one odd batch does not upset it.
    fn then(self, ran: Self) -> Self {
        Self {
            row: (self.row * 7 + ran.row) / 8,
            load: (self.load * 7 + ran.load) / 8,
        }
    }
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
    ) -> Self {
        let state = State {
            queue: Queue::new(settings, B::width),
            phase: Phase::Open,
            instances: backends.len(),
            idle: backends.into_iter().map(Instance::new).collect(),
            sleepers: 0,
            costs: None,
        };
        Self {
            settings,
            clock,
            observer,
            factory,
            state: Mutex::new(state),
            wake: Condvar::new(),
            stirred: AtomicBool::new(false),
        }
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
        if state.phase == Phase::Stopped {
            return Err(Refusal::Stopped);
        }
        if !state.queue.has_room(count) {
            self.observer.dropped(DropReason::QueueFull, count);
            return Err(Refusal::QueueFull {
                depth: state.queue.depth(),
                limit: self.settings.max_queue_size,
                rows: count,
                retry_after: state.retry_after(),
            });
        }
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

    /// Tells the observer how the queue stands.
    fn report(&self, state: &mut State<B>) {
        self.observer.queue_depth(state.queue.depth());
        for (reason, rows) in state.queue.take_dropped() {
            self.observer.dropped(reason, rows);
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
