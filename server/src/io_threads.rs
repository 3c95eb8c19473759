//! The threads that serve connections. Each is a current-thread Tokio runtime: a request stays on
//! its connection's thread, and tasks wake each other without a lock.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{Semaphore, watch};

use crate::back_off::back_off;
use crate::batching::{Backlog, WakeQueue};
use crate::{busy_poll, deadline, idle_memory};

/// The threads. Dropping them ends every connection they serve.
#[derive(Debug)]
pub(crate) struct IoThreads {
    /// Each connection holds a clone of its thread's handle.
    handles: Vec<Arc<Handle>>,
    threads: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
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
        // A thread that polls takes a core from those that compute.
        let permits = Arc::new(Semaphore::new(cores / 2));
        let (mut handles, mut threads) = (Vec::new(), Vec::new());
        for index in 0..count {
            let backlog = Arc::clone(backlog);
            let runtime = Builder::new_current_thread()
                .enable_all()
                .on_thread_park(move || back_off(&backlog))
                .build()?;
            handles.push(Arc::new(runtime.handle().clone()));
            let mut stopped = stopped.clone();
            let permits = Arc::clone(&permits);
            let thread = thread::Builder::new().name(format!("io-{index}"));
            threads.push(thread.spawn(move || {
                runtime.spawn(WakeQueue::for_this_thread().serve());
                runtime.spawn(deadline::serve_this_thread());
                runtime.spawn(idle_memory::serve_this_thread());
                if !busy_poll.is_zero() {
                    runtime.spawn(busy_poll::serve_this_thread(busy_poll, permits));
                }
                // An error means that the sender is gone, which also means stop.
                let _ = runtime.block_on(stopped.wait_for(|stop| *stop));
            })?);
        }
        Ok(Self {
            handles,
            threads,
            stop,
        })
    }

    /// The thread with the fewest connections. A connection counts while it holds this.
    pub(crate) fn place(&self) -> Arc<Handle> {
        let least = self.handles.iter().min_by_key(|it| Arc::strong_count(it));
        Arc::clone(least.expect("there is at least one I/O thread"))
    }
}

impl Drop for IoThreads {
    fn drop(&mut self) {
        // The send fails only if every thread has ended.
        let _ = self.stop.send(true);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
