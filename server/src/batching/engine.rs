//! Drives the queue: instances take batches from it, on threads of their own or on the thread of a
//! caller.
//!
//! A wake-up of another thread costs more than a small batch. So a caller that has rows waiting,
//! finds an instance idle and expects the batch to be short runs it itself ([`Engine::dispatch`]);
//! everything longer goes to the threads.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use smallvec::SmallVec;

use super::amount::Amount;
use super::backlog::Backlog;
use super::clock::Instant;
use super::flows::Flow;
use super::pool::Pool;
use super::request::{Failure, Gather, Ticket};
use super::state::Phase;
use super::{Backend, BackendFactory, Clock, Cost, Observer, Settings};
use crate::lock::lock;

/// The batching core of one model version.
pub struct Engine<B: Backend> {
    pub(super) pool: Arc<Pool<B>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The parts of an engine.
pub struct Parts<B: Backend> {
    /// How requests become batches.
    pub settings: Settings,
    /// What the model's runs cost.
    pub cost: Cost,
    /// One for each instance.
    pub backends: Vec<B>,
    /// One more, whose runs use several cores. It takes a long run of one row while nothing else
    /// runs in the process; the other cores would be idle.
    pub parallel: Option<B>,
    /// Makes the replacement of one that has panicked.
    pub factory: BackendFactory<B>,
    /// Where the engine reads the time.
    pub clock: Clock,
    /// Records what the engine does.
    pub observer: Arc<dyn Observer>,
    /// Shared by the engines of the process.
    pub backlog: Arc<Backlog>,
}

impl<B: Backend> Engine<B> {
    /// Starts a thread for each instance, named after `name`.
    ///
    /// # Errors
    /// The operating system's, if it gives no thread.
    pub fn start(name: &str, parts: Parts<B>) -> std::io::Result<Self> {
        let instances = parts.backends.len();
        let engine = Self {
            pool: Arc::new(Pool::new(parts)),
            threads: Mutex::default(),
        };
        for index in 0..instances {
            let pool = Arc::clone(&engine.pool);
            let thread = thread::Builder::new()
                .name(format!("{name}-{index}"))
                .spawn(move || {
                    while let Some(job) = pool.next_job() {
                        pool.run(job);
                        // The I/O threads go first: what they read joins the next batch.
                        thread::yield_now();
                    }
                })?;
            lock(&engine.threads).push(thread);
        }
        Ok(engine)
    }

    /// Whether `rows` rows would be accepted now. Callers ask before they make the rows, so that a
    /// refusal is cheap.
    ///
    /// # Errors
    /// As [`Engine::submit`], which may still refuse them.
    pub fn check_room(&self, rows: usize) -> Result<(), Failure> {
        self.check_room_for(Flow::default(), rows)
    }

    /// [`Engine::check_room`] for a known caller.
    ///
    /// # Errors
    /// Those of [`Engine::check_room`], and [`Failure::QueueFull`] if the caller has its share.
    pub fn check_room_for(&self, flow: Flow, rows: usize) -> Result<(), Failure> {
        let pool = &self.pool;
        let has_room = pool.depth.load(Ordering::Relaxed) + rows <= pool.settings.max_queue_size;
        if has_room && flow == Flow::default() {
            return Ok(());
        }
        // Their bytes are not known yet.
        pool.admit(&lock(&pool.state), Amount { rows, bytes: 0 }, flow)
    }

    /// Puts a request's rows, one at least, into the queue; the ticket resolves to one output per
    /// row. A running instance may take them from now on; [`Engine::dispatch`] makes sure that one
    /// does.
    ///
    /// Dropping the ticket gives the places of rows that still wait back at once. A request whose
    /// `deadline` passes while it waits is answered with [`Failure::Deadline`] when its turn
    /// comes; a caller that wants to know on time drops the ticket then.
    ///
    /// # Errors
    /// The queue is full or the engine has ended. Nothing has been queued then.
    pub fn submit(
        &self,
        rows: SmallVec<[B::Row; 1]>,
        deadline: Option<Instant>,
    ) -> Result<Ticket<B>, Failure> {
        self.submit_for(Flow::default(), rows, deadline)
    }

    /// [`Engine::submit`] for a known caller, who gets the same share of each batch as every other
    /// one.
    ///
    /// # Errors
    /// Those of [`Engine::submit`], and [`Failure::QueueFull`] if the caller has its share of the
    /// queue.
    pub fn submit_for(
        &self,
        flow: Flow,
        rows: SmallVec<[B::Row; 1]>,
        deadline: Option<Instant>,
    ) -> Result<Ticket<B>, Failure> {
        let pool = &self.pool;
        let amount = Amount::of(&rows);
        let gather = Arc::new(Gather::new(amount, deadline).of(flow));
        let mut state = lock(&pool.state);
        pool.admit(&state, amount, flow)?;
        let was_empty = state.queue.depth() == 0;
        state.queue.push(&gather, rows, pool.clock.now());
        pool.report(&mut state);
        // With a delay, one sleeper waits for the first row's timer; others are needed for a full
        // batch.
        let is_news = was_empty
            || pool.settings.max_queue_delay.is_zero()
            || state.queue.depth() >= pool.settings.max_batch_size;
        drop(state);
        if is_news {
            pool.has_news.store(true, Ordering::Release);
        }
        let pool = Some(Arc::clone(pool));
        Ok(Ticket { gather, pool })
    }

    /// Makes sure that what waits is run: here and now while that is expected to stay within
    /// [`Settings::max_inline_compute`], else on the engine's threads. Call it after
    /// [`Engine::submit`], and after other requests that came at the same time were submitted too.
    pub fn dispatch(&self) {
        let pool = &self.pool;
        if !pool.has_news.swap(false, Ordering::AcqRel) {
            return;
        }
        let mut budget = pool.settings.max_inline_compute;
        while let Some((job, expected)) = pool.take_short_job(budget) {
            budget -= expected;
            pool.run(job);
        }
        pool.wake_sleeper();
    }

    /// Whether its rows wait so long that a millisecond more makes no difference to them.
    pub fn is_behind(&self) -> bool {
        self.pool.is_behind.load(Ordering::Relaxed)
    }

    /// The settings it runs with.
    pub fn settings(&self) -> Settings {
        self.pool.settings
    }

    /// No row waits for [`Settings::max_queue_delay`] from now on: the server is about to stop.
    pub fn hurry(&self) {
        self.pool.advance(Phase::Hurried);
    }

    /// Takes nothing new from now on and answers what waits. The threads then free the instances
    /// and end; this call does not wait for them. Dropping the engine retires it, too.
    pub fn retire(&self) {
        self.pool.advance(Phase::Retired);
    }

    /// Takes nothing new and fails what waits with [`Failure::Stopped`]; batches that run
    /// are still answered. Does not wait for them.
    pub fn stop(&self) {
        self.pool.advance(Phase::Stopped);
    }

    /// Waits until every thread has ended, after [`Engine::stop`] or [`Engine::retire`].
    pub fn join(&self) {
        for thread in std::mem::take(&mut *lock(&self.threads)) {
            // A backend's panics are caught inside; there is nothing to learn from its result.
            let _ = thread.join();
        }
    }
}

impl<B: Backend> Drop for Engine<B> {
    fn drop(&mut self) {
        self.retire();
    }
}

impl<B: Backend> std::fmt::Debug for Parts<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

impl<B: Backend> std::fmt::Debug for Engine<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}
