//! Drives the queue: one OS thread per instance, each owning its backend. The threads pull; no scheduler sits between.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::batch::Batch;
use super::clock::Instant;
use super::queue::{Next, Queue};
use super::request::{Failure, Gather, Leave, Ticket, gather};
use super::{Backend, BackendFactory, BatchReport, Clock, DropReason, Observer, Settings};

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
    /// Notified when an idle instance should look at the queue.
    wake: Condvar,
}

struct State<B: Backend> {
    queue: Queue<B::Row, B::Output>,
    phase: Phase,
    /// Instances that sleep on `wake`.
    idle: usize,
    /// Instances whose thread lives.
    alive: usize,
    /// How long the last batch took, to tell refused callers when to come back.
    last_compute: Duration,
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

// === impl Engine ===

impl<B: Backend> Engine<B> {
    /// Starts one thread per backend. `factory` makes the replacement of an instance that has panicked.
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
        let state = State {
            queue: Queue::new(settings),
            phase: Phase::Open,
            idle: 0,
            alive: backends.len(),
            last_compute: Duration::ZERO,
        };
        let shared = Arc::new(Shared {
            settings,
            clock,
            observer,
            factory,
            state: Mutex::new(state),
            wake: Condvar::new(),
        });
        let engine = Self {
            shared,
            threads: Mutex::default(),
        };
        for (index, backend) in backends.into_iter().enumerate() {
            let shared = Arc::clone(&engine.shared);
            let thread = thread::Builder::new()
                .name(format!("{name}-{index}"))
                .spawn(move || shared.run_instance(backend))?;
            engine.threads().push(thread);
        }
        Ok(engine)
    }

    /// Puts a request's rows, one at least, into the queue; the ticket resolves to one output per row.
    ///
    /// Dropping the ticket gives the places of rows that still wait back at once. A request whose `deadline` passes
    /// while it waits is answered with [`Failure::Deadline`] at the latest when its turn comes; a caller that wants to
    /// know on time drops the ticket then.
    ///
    /// # Errors
    /// [`Refusal`]: the queue is full or the engine stops. Nothing has been queued then.
    pub fn submit(
        &self,
        rows: Vec<B::Row>,
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
                retry_after: shared.retry_after(&state),
            });
        }
        let was_empty = state.queue.depth() == 0;
        state
            .queue
            .push(Arc::clone(&gather), rows, shared.clock.now());
        shared.report(&mut state);
        // With a delay, one sleeper minds the timer of the first row; the others are needed only for a full batch.
        let worth_a_wake = was_empty
            || shared.settings.max_queue_delay.is_zero()
            || state.queue.depth() >= shared.settings.max_batch_size;
        let wake = worth_a_wake && state.idle > 0;
        drop(state);
        if wake {
            shared.wake.notify_one();
        }
        Ok(Ticket::new(
            receiver,
            Arc::clone(shared) as Arc<dyn Leave<_>>,
            gather,
        ))
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

    /// Fails what waits with [`Failure::Stopped`]; batches that run are still answered. Does not wait for them.
    pub fn stop(&self) {
        let mut state = self.shared.lock();
        state.phase = Phase::Stopped;
        state.queue.stop();
        self.shared.report(&mut state);
        drop(state);
        self.shared.wake.notify_all();
    }

    /// Waits until every instance's thread has ended, after [`Engine::drain`] or [`Engine::stop`].
    pub fn join(&self) {
        for thread in std::mem::take(&mut *self.threads()) {
            // A thread's panics are caught inside; there is nothing to learn from its result.
            let _ = thread.join();
        }
    }

    /// Makes every sleeping instance look at the queue and the clock again.
    #[cfg(test)]
    pub(super) fn nudge(&self) {
        drop(self.shared.lock());
        self.shared.wake.notify_all();
    }

    /// Instances that sleep now.
    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        self.shared.lock().idle
    }

    /// Entries that the queue holds, those of callers that have gone included.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.shared.lock().queue.entries()
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// About when the rows that wait now will have been run.
    fn retry_after(&self, state: &State<B>) -> Duration {
        let batches = state
            .queue
            .depth()
            .div_ceil(self.settings.max_batch_size)
            .max(1);
        let rounds = batches.div_ceil(state.alive.max(1)) as u32;
        (state.last_compute * rounds).clamp(Duration::from_millis(10), Duration::from_secs(5))
    }

    /// An instance's life: take a batch, run it, answer, until there is nothing more to come.
    fn run_instance(&self, mut backend: B) {
        let mut outputs = Vec::new();
        while let Some(batch) = self.next_batch() {
            if self.run_batch(&mut backend, batch, &mut outputs) {
                continue;
            }
            self.observer.instance_replaced();
            match catch_unwind(AssertUnwindSafe(|| (self.factory)())) {
                Ok(Ok(fresh)) => backend = fresh,
                _ => break,
            }
        }
        self.end_instance();
    }

    /// Sleeps until there is a batch for this instance; `None` when there never will be.
    fn next_batch(&self) -> Option<Batch<B::Row, B::Output>> {
        let mut state = self.lock();
        loop {
            let now = self.clock.now();
            let closing = state.phase != Phase::Open;
            let next = state.queue.next(now, closing);
            self.report(&mut state);
            match next {
                Next::Run(batch) => {
                    // Rows are left for another sleeper: pass the baton on.
                    if state.queue.depth() > 0 && state.idle > 0 {
                        self.wake.notify_one();
                    }
                    return Some(batch);
                }
                Next::Sleep if closing => return None,
                Next::Sleep => {
                    state.idle += 1;
                    state = self.clock.wait(&self.wake, state, None);
                    state.idle -= 1;
                }
                Next::WaitUntil(ripe) => {
                    let timeout = ripe.saturating_duration_since(now);
                    state.idle += 1;
                    state = self.clock.wait(&self.wake, state, Some(timeout));
                    state.idle -= 1;
                }
            }
        }
    }

    /// Runs one batch and answers its callers. False when the backend panicked and must not be used again.
    fn run_batch(
        &self,
        backend: &mut B,
        batch: Batch<B::Row, B::Output>,
        outputs: &mut Vec<B::Output>,
    ) -> bool {
        outputs.clear();
        let rows = batch.rows.len();
        let cut = self.clock.now();
        let result = catch_unwind(AssertUnwindSafe(|| backend.run(&batch.rows, outputs)));
        let compute = self.clock.now().saturating_duration_since(cut);
        self.lock().last_compute = compute;

        let sound = result.is_ok();
        let outcome = match result {
            Ok(Ok(())) if outputs.len() == rows => Ok(()),
            Ok(Ok(())) => Err(format!(
                "the model gave {} outputs for {rows} rows",
                outputs.len()
            )),
            Ok(Err(error)) => Err(error.0),
            Err(panic) => Err(format!("the instance panicked: {}", panic_message(&*panic))),
        };
        // Before the answers, so that whoever has one finds it counted.
        let succeeded = outcome.is_ok();
        self.observer.batch(&BatchReport {
            rows,
            compute,
            waits: batch.waits(),
            succeeded,
        });
        match outcome {
            Ok(()) => batch.scatter(outputs, compute),
            Err(message) => batch.fail(&Failure::Backend(message)),
        }
        sound
    }

    /// The last instance to go fails what nobody is left to run.
    fn end_instance(&self) {
        let mut state = self.lock();
        state.alive -= 1;
        if state.alive == 0 {
            state.phase = Phase::Stopped;
            state.queue.stop();
        }
        self.report(&mut state);
    }
}

/// The text of a panic, where it has one.
fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
