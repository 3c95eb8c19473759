//! Drives the queue: instances take batches from it, on threads of their own or on the thread of a caller.
//!
//! A wake-up of another thread costs more than a small batch. So a caller that has rows waiting, finds an instance idle
//! and expects the batch to be short runs it itself ([`Engine::dispatch`]); everything longer goes to the threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use smallvec::SmallVec;

use super::batch::Batch;
use super::clock::Instant;
use super::instance::{Instance, Ran};
use super::queue::{Next, Queue};
use super::request::{Gather, Leave, Ticket, gather};
use super::{Backend, BackendFactory, Clock, DropReason, Observer, Settings};

/// The batching core of one model version.
pub struct Engine<B: Backend> {
    shared: Arc<Shared<B>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Why a request was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too many rows wait already.
    #[error("the queue holds {depth} of at most {limit} rows, {rows} more do not fit")]
    QueueFull {
        /// Rows waiting.
        depth: usize,
        /// `max_queue_size`.
        limit: usize,
        /// Rows of the refused request.
        rows: usize,
        /// When the queue may have moved on by a batch.
        retry_after: Duration,
    },
    /// The engine takes nothing new.
    #[error("the model is stopping")]
    Stopped,
}

struct Shared<B: Backend> {
    settings: Settings,
    clock: Clock,
    observer: Arc<dyn Observer>,
    factory: BackendFactory<B>,
    state: Mutex<State<B>>,
    /// Notified when a sleeping thread should look at the queue.
    wake: Condvar,
    /// Set when rows have come that nobody has looked at yet.
    stirred: AtomicBool,
}

struct State<B: Backend> {
    queue: Queue<B::Row, B::Output>,
    phase: Phase,
    /// Instances that run nothing.
    idle: Vec<Instance<B>>,
    /// Instances in all, running ones included.
    instances: usize,
    /// Threads that sleep on `wake`.
    sleepers: usize,
    /// What a row has cost lately, a moving average; unknown until the first batch has run.
    row_cost: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Takes requests.
    Open,
    /// Takes nothing new, finishes what waits.
    Draining,
    /// Takes nothing, finishes only what runs.
    Stopped,
}

/// A batch and the instance to run it.
struct Job<B: Backend> {
    instance: Instance<B>,
    batch: Batch<B::Row, B::Output>,
}

// === impl Engine ===

impl<B: Backend> Engine<B> {
    /// Starts with one instance per backend. `factory` makes the replacement of one that has panicked.
    ///
    /// # Errors
    /// The operating system's, if it gives no thread.
    pub fn start(
        name: &str,
        settings: Settings,
        backends: Vec<B>,
        factory: BackendFactory<B>,
        clock: Clock,
        observer: Arc<dyn Observer>,
    ) -> std::io::Result<Self> {
        let instances = backends.len();
        let state = State {
            queue: Queue::new(settings),
            phase: Phase::Open,
            idle: backends.into_iter().map(Instance::new).collect(),
            instances,
            sleepers: 0,
            row_cost: None,
        };
        let shared = Arc::new(Shared {
            settings,
            clock,
            observer,
            factory,
            state: Mutex::new(state),
            wake: Condvar::new(),
            stirred: AtomicBool::new(false),
        });
        let engine = Self {
            shared,
            threads: Mutex::default(),
        };
        for index in 0..instances {
            let shared = Arc::clone(&engine.shared);
            let thread = thread::Builder::new()
                .name(format!("{name}-{index}"))
                .spawn(move || shared.run_thread())?;
            engine.threads().push(thread);
        }
        Ok(engine)
    }

    /// Puts a request's rows, one at least, into the queue; the ticket resolves to one output per row. A running
    /// instance may take them from now on; [`Engine::dispatch`] makes sure that somebody does.
    ///
    /// Dropping the ticket gives the places of rows that still wait back at once. A request whose `deadline` passes
    /// while it waits is answered with [`super::Failure::Deadline`] at the latest when its turn comes; a caller that
    /// wants to know on time drops the ticket then.
    ///
    /// # Errors
    /// [`Refusal`]: the queue is full or the engine stops. Nothing has been queued then.
    pub fn submit(
        &self,
        rows: SmallVec<[B::Row; 1]>,
        deadline: Option<Instant>,
    ) -> Result<Ticket<B::Output>, Refusal> {
        let shared = &self.shared;
        let count = rows.len();
        let (gather, receiver) = gather(count, deadline);
        let mut state = shared.lock();
        if state.phase != Phase::Open {
            return Err(Refusal::Stopped);
        }
        if !state.queue.has_room(count) {
            shared.observer.dropped(DropReason::QueueFull, count);
            return Err(Refusal::QueueFull {
                depth: state.queue.depth(),
                limit: shared.settings.max_queue_size,
                rows: count,
                retry_after: state.retry_after(),
            });
        }
        let was_empty = state.queue.depth() == 0;
        state
            .queue
            .push(Arc::clone(&gather), rows, shared.clock.now());
        shared.report(&mut state);
        // With a delay, one sleeper minds the timer of the first row; a look is needed again only for a full batch.
        let worth_a_look = was_empty
            || shared.settings.max_queue_delay.is_zero()
            || state.queue.depth() >= shared.settings.max_batch_size;
        drop(state);
        if worth_a_look {
            shared.stirred.store(true, Ordering::Release);
        }
        Ok(Ticket::new(
            receiver,
            Arc::clone(shared) as Arc<dyn Leave<_>>,
            gather,
        ))
    }

    /// Sees to it that what waits is run: here and now while that is expected to stay within
    /// [`Settings::max_inline_compute`], else on the engine's threads. Call it after [`Engine::submit`], and after
    /// other requests that came at the same time were submitted too.
    pub fn dispatch(&self) {
        let shared = &self.shared;
        if !shared.stirred.swap(false, Ordering::AcqRel) {
            return;
        }
        let mut budget = shared.settings.max_inline_compute;
        while let Some((job, cost)) = shared.take_short_job(budget) {
            budget -= cost;
            shared.run(job);
        }
        shared.wake_sleeper();
    }

    /// Rows waiting now.
    pub fn queue_depth(&self) -> usize {
        self.shared.lock().queue.depth()
    }

    /// The settings it runs with.
    pub fn settings(&self) -> Settings {
        self.shared.settings
    }

    /// Takes nothing new from now on; what waits is still run. Does not wait for it.
    pub fn drain(&self) {
        let mut state = self.shared.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Draining;
        }
        drop(state);
        self.shared.wake.notify_all();
    }

    /// Fails what waits with [`super::Failure::Stopped`]; batches that run are still answered. Does not wait for them.
    pub fn stop(&self) {
        let mut state = self.shared.lock();
        state.phase = Phase::Stopped;
        state.queue.stop();
        self.shared.report(&mut state);
        drop(state);
        self.shared.wake.notify_all();
    }

    /// Waits until every thread has ended, after [`Engine::drain`] or [`Engine::stop`].
    pub fn join(&self) {
        for thread in std::mem::take(&mut *self.threads()) {
            // A backend's panics are caught inside; there is nothing to learn from its result.
            let _ = thread.join();
        }
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tests' eyes and hands.
#[cfg(test)]
impl<B: Backend> Engine<B> {
    /// Makes every sleeping thread look at the queue and the clock again.
    pub(super) fn nudge(&self) {
        drop(self.shared.lock());
        self.shared.wake.notify_all();
    }

    /// Threads that sleep now.
    pub(super) fn sleepers(&self) -> usize {
        self.shared.lock().sleepers
    }

    /// Requests that the queue holds, those of callers that have gone included.
    pub(super) fn entries(&self) -> usize {
        self.shared.lock().queue.entries()
    }
}

impl<B: Backend> Drop for Engine<B> {
    fn drop(&mut self) {
        self.stop();
        self.join();
    }
}

impl<B: Backend> std::fmt::Debug for Engine<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

// === impl State ===

impl<B: Backend> State<B> {
    /// About when the rows that wait now will have been run.
    fn retry_after(&self) -> Duration {
        let rows = self.queue.depth().div_ceil(self.instances.max(1)) as u32;
        (self.row_cost.unwrap_or_default() * rows)
            .clamp(Duration::from_millis(10), Duration::from_secs(5))
    }
}

// === impl Shared ===

impl<B: Backend> Leave<B::Output> for Shared<B> {
    fn leave(&self, gather: &Gather<B::Output>) {
        gather.end();
        let mut state = self.lock();
        state.queue.leave(gather, self.clock.now());
        self.report(&mut state);
    }
}

impl<B: Backend> Shared<B> {
    fn lock(&self) -> MutexGuard<'_, State<B>> {
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
    fn run_thread(&self) {
        while let Some(job) = self.next_job() {
            self.run(job);
        }
    }

    /// Sleeps until there is a batch and an instance for it; `None` when there never will be.
    fn next_job(&self) -> Option<Job<B>> {
        let mut state = self.lock();
        loop {
            let closing = state.phase != Phase::Open;
            let mut timeout = None;
            if state.idle.is_empty() {
                // Whoever gives an instance back looks for sleepers. Without instances there is nothing to wait for.
                if state.instances == 0 {
                    return None;
                }
            } else {
                let now = self.clock.now();
                let next = state.queue.next(now, closing);
                self.report(&mut state);
                match next {
                    Next::Run(batch) => return self.job(&mut state, batch),
                    Next::Sleep if closing => return None,
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
        let cost = state.row_cost? * rows as u32;
        // A delay is waited for by the threads.
        let wait = !self.settings.max_queue_delay.is_zero() && rows < self.settings.max_batch_size;
        if rows == 0 || cost >= budget || wait || state.idle.is_empty() {
            return None;
        }
        let next = state.queue.next(self.clock.now(), false);
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
        let Ran { row_cost, sound } = instance.run(batch, &self.clock, &*self.observer);
        let instance = if sound {
            Some(instance)
        } else {
            self.observer.instance_replaced();
            Instance::replace(&self.factory)
        };
        let mut state = self.lock();
        // One part new in eight: a few batches settle it, one odd batch does not upset it.
        let average = state
            .row_cost
            .map_or(row_cost, |cost| (cost * 7 + row_cost) / 8);
        state.row_cost = Some(average);
        match instance {
            Some(instance) => state.idle.push(instance),
            None => state.instances -= 1,
        }
        if state.instances == 0 {
            state.phase = Phase::Stopped;
            state.queue.stop();
        }
        self.report(&mut state);
        if state.phase != Phase::Open {
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
