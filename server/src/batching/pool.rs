//! What an engine's threads and callers share: the queue, the idle instances, and who sleeps.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::amount::Amount;
use super::backlog::Backlog;
use super::batch::Batch;
use super::engine::Parts;
use super::flows::Flow;
use super::instance::Instance;
use super::queue::{Next, Queue};
use super::request::{Failure, Gather};
use super::state::{Phase, Speed, State};
use super::{Backend, Clock, DropReason, Observer, Settings};
use crate::lock::lock;

/// The shared part of an engine.
pub(super) struct Pool<B: Backend> {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    observer: Arc<dyn Observer>,
    backlog: Arc<Backlog>,
    pub(super) state: Mutex<State<B>>,
    /// Notified when a sleeping thread should look at the queue.
    pub(super) wake: Condvar,
    /// Set when rows have come since the last [`super::Engine::dispatch`].
    pub(super) has_news: AtomicBool,
    /// Rows waiting, as of the last report.
    pub(super) depth: AtomicUsize,
    /// See [`super::Engine::is_behind`].
    pub(super) is_behind: AtomicBool,
}

/// A batch and the instance to run it.
pub(super) struct Job<B: Backend> {
    instance: Instance<B>,
    is_parallel: bool,
    batch: Batch<B::Row, B::Output>,
}

impl<B: Backend> Pool<B> {
    pub(super) fn new(parts: Parts<B>) -> Self {
        let state = State {
            queue: Queue::new(parts.settings, parts.cost),
            phase: Phase::Open,
            instances: parts.backends.len(),
            idle: parts.backends.into_iter().map(Instance::new).collect(),
            parallel: parts.parallel.map(Instance::new),
            factory: Some(parts.factory),
            sleepers: 0,
            speed: None,
            running_behind: 0,
        };
        Self {
            settings: parts.settings,
            clock: parts.clock,
            observer: parts.observer,
            backlog: parts.backlog,
            state: Mutex::new(state),
            wake: Condvar::new(),
            has_news: AtomicBool::new(false),
            depth: AtomicUsize::new(0),
            is_behind: AtomicBool::new(false),
        }
    }

    /// Whether a request that adds `more` to the queue is accepted.
    pub(super) fn admit(&self, state: &State<B>, more: Amount, flow: Flow) -> Result<(), Failure> {
        match state.phase {
            Phase::Open | Phase::Hurried => {}
            Phase::Retired => return Err(Failure::Retired),
            Phase::Stopped => return Err(Failure::Stopped),
        }
        let share = state.queue.check_share(flow, more.rows);
        let room = share.and_then(|()| state.queue.check_room(more));
        room.map_err(|full| {
            self.observer.dropped(DropReason::QueueFull, more.rows);
            Failure::QueueFull {
                full,
                retry_after: state.retry_after(),
            }
        })
    }

    /// Moves on to a phase, if no later one has begun.
    pub(super) fn advance(&self, phase: Phase) {
        let mut state = lock(&self.state);
        state.phase = state.phase.max(phase);
        if state.phase == Phase::Stopped {
            state.queue.fail(&Failure::Stopped);
            self.report(&mut state);
        }
        drop(state);
        self.wake.notify_all();
    }

    /// A caller has gone: gives back the places that its rows hold in the queue.
    pub(super) fn leave(&self, gather: &Gather<B::Output>) {
        gather.end();
        let mut state = lock(&self.state);
        state.queue.leave(gather, self.clock.now());
        self.report(&mut state);
    }

    /// Reports the depth of the queue to the observer and the backlog.
    pub(super) fn report(&self, state: &mut State<B>) {
        self.update_backlog(state);
        self.depth.store(state.queue.depth(), Ordering::Relaxed);
        self.observer.queue_depth(state.queue.depth());
        for (reason, rows) in std::mem::take(&mut state.queue.dropped) {
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

    /// Sleeps until there is a batch and an instance for it; `None` when there never will be. Of an
    /// engine that has ended, it frees the instances as they become idle.
    pub(super) fn next_job(&self) -> Option<Job<B>> {
        let mut state = lock(&self.state);
        // Whoever gives an instance back looks for sleepers. Without instances there is nothing to
        // wait for.
        while state.instances > 0 {
            let phase = state.phase;
            let mut timeout = None;
            if !state.idle.is_empty() {
                let now = self.clock.now();
                let max = state.batch_limit(&self.settings);
                let next = state.queue.next(now, phase != Phase::Open, max);
                self.report(&mut state);
                match next {
                    Next::Run(batch) => return self.job(&mut state, batch),
                    Next::Sleep if phase.has_ended() => {
                        let idle = std::mem::take(&mut state.idle);
                        let parallel = state.parallel.take();
                        state.instances -= idle.len();
                        drop(state);
                        drop((idle, parallel));
                        state = lock(&self.state);
                        continue;
                    }
                    Next::Sleep => {}
                    Next::WaitUntil(ripe) => timeout = Some(ripe.saturating_duration_since(now)),
                }
            }
            state.sleepers += 1;
            state = self.clock.wait(&self.wake, state, timeout);
            state.sleepers -= 1;
        }
        let factory = state.factory.take();
        drop(state);
        drop(factory);
        self.wake.notify_all();
        None
    }

    /// A job for a caller's own thread, and how long it is expected to take, if that is within
    /// `budget`.
    pub(super) fn take_short_job(&self, budget: Duration) -> Option<(Job<B>, Duration)> {
        let mut state = lock(&self.state);
        let rows = state.queue.depth().min(self.settings.max_batch_size);
        let max = state.batch_limit(&self.settings);
        let expected = state.speed?.unit * state.queue.next_cost(max);
        let expected = Duration::from_nanos(expected as u64);
        // The threads wait for a delay.
        let must_wait = state.phase == Phase::Open
            && !self.settings.max_queue_delay.is_zero()
            && rows < self.settings.max_batch_size;
        if rows == 0 || expected >= budget || must_wait || state.idle.is_empty() {
            return None;
        }
        let next = state.queue.next(self.clock.now(), false, max);
        self.report(&mut state);
        let Next::Run(batch) = next else { return None };
        self.job(&mut state, batch).map(|job| (job, expected))
    }

    /// Pairs a batch with an idle instance, and wakes a sleeper for what is left.
    fn job(&self, state: &mut State<B>, batch: Batch<B::Row, B::Output>) -> Option<Job<B>> {
        let is_parallel = state.parallel.is_some()
            && state.queue.depth() == 0
            && self.backlog.is_idle()
            && state.is_worth_splitting(batch.extent());
        let instance = if is_parallel {
            state.parallel.take()?
        } else {
            state.idle.pop()?
        };
        self.backlog.begin();
        self.update_backlog(state);
        if state.needs_wake() {
            self.wake.notify_one();
        }
        Some(Job {
            instance,
            is_parallel,
            batch,
        })
    }

    /// Runs a batch, answers its callers and gives the instance back, or its replacement.
    pub(super) fn run(&self, job: Job<B>) {
        let Job {
            instance,
            is_parallel,
            batch,
        } = job;
        let extent = batch.extent();
        let (compute, instance) = instance.run(batch, &self.clock, &*self.observer);
        self.backlog.end();
        if is_parallel {
            return self.give_back_parallel(instance);
        }
        let instance = instance.or_else(|| {
            self.observer.instance_replaced();
            let factory = lock(&self.state).factory.clone();
            Instance::replacement(&factory?)
        });
        let mut state = lock(&self.state);
        let latest = Speed {
            row: compute / extent.rows.max(1) as u32,
            unit: compute.as_secs_f64() * 1e9 / state.queue.cost.of_run(extent),
        };
        state.speed = Some(state.speed.map_or(latest, |speed| speed.updated(latest)));
        match instance {
            Some(instance) => state.idle.push(instance),
            None => state.instances -= 1,
        }
        if state.instances == 0 {
            state.phase = state.phase.max(Phase::Retired);
            state.queue.fail(&Failure::Retired);
        }
        self.report(&mut state);
        if state.phase.has_ended() {
            // A sleeping thread can free this instance now.
            self.wake.notify_all();
        }
    }

    /// Keeps the parallel instance for the next run, unless it has panicked or the engine has
    /// ended. The others do without it.
    fn give_back_parallel(&self, instance: Option<Instance<B>>) {
        let mut state = lock(&self.state);
        if !state.phase.has_ended() {
            state.parallel = instance;
            return;
        }
        drop(state);
        drop(instance);
        self.wake.notify_all();
    }

    /// Wakes a thread if there is something for it to do.
    pub(super) fn wake_sleeper(&self) {
        let needs_wake = lock(&self.state).needs_wake();
        if needs_wake {
            self.wake.notify_one();
        }
    }
}
