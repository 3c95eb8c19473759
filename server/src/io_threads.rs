//! The threads that serve connections. Each is a current-thread Tokio runtime: a request stays on
//! its connection's thread, and tasks wake each other without a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

use crate::back_off::back_off;
use crate::batching::{Backlog, WakeQueue};
use crate::busy_poll::{BusyPoll, Pollers};
use crate::deadline::Deadlines;

/// The threads. Dropping them ends every connection they serve.
#[derive(Debug)]
pub(crate) struct IoThreads {
    threads: Vec<IoThread>,
    stop: watch::Sender<bool>,
}

#[derive(Debug)]
struct IoThread {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

/// A connection's place on a thread, counted until dropped.
#[derive(Debug)]
pub(crate) struct Place {
    /// Where to spawn the connection.
    pub(crate) runtime: Handle,
    connections: Arc<AtomicUsize>,
}

impl IoThreads {
    /// Starts `count` threads in a process that may use `cores` cores. They poll for the next
    /// request for `busy_poll` before they sleep, and back off while the backlog is deep.
    ///
    /// # Errors
    /// The operating system cannot start a thread.
    pub(crate) fn start(
        count: usize,
        cores: usize,
        busy_poll: Duration,
        backlog: &Arc<Backlog>,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let pollers = Arc::new(Pollers::among(cores));
        let mut threads = Vec::with_capacity(count);
        for index in 0..count {
            let backlog = Arc::clone(backlog);
            let runtime = Builder::new_current_thread()
                .enable_all()
                .on_thread_park(move || back_off(&backlog))
                .build()?;
            let handle = runtime.handle().clone();
            let mut stopped = stopped.clone();
            let pollers = Arc::clone(&pollers);
            let thread = thread::Builder::new()
                .name(format!("io-{index}"))
                .spawn(move || {
                    runtime.spawn(WakeQueue::for_this_thread().serve());
                    runtime.spawn(Deadlines::for_this_thread().run());
                    if !busy_poll.is_zero() {
                        runtime.spawn(BusyPoll::for_this_thread(busy_poll, pollers).run());
                    }
                    // An error means that the sender is gone, which also means stop.
                    let _ = runtime.block_on(stopped.wait_for(|stop| *stop));
                })?;
            let connections = Arc::default();
            threads.push(IoThread {
                runtime: handle,
                connections,
                thread: Some(thread),
            });
        }
        Ok(Self { threads, stop })
    }

    /// A place on the thread with the fewest connections.
    pub(crate) fn place(&self) -> Place {
        let least = self
            .threads
            .iter()
            .min_by_key(|io| io.connections.load(Ordering::Relaxed));
        let IoThread {
            runtime,
            connections,
            ..
        } = least.expect("there is at least one I/O thread");
        connections.fetch_add(1, Ordering::Relaxed);
        Place {
            runtime: runtime.clone(),
            connections: Arc::clone(connections),
        }
    }
}

impl Drop for IoThreads {
    fn drop(&mut self) {
        // The send fails only if every thread has ended.
        let _ = self.stop.send(true);
        for io in &mut self.threads {
            if let Some(thread) = io.thread.take() {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
