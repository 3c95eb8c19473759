//! The threads that serve connections: each a current-thread Tokio runtime, so that a request never
//! changes threads between its bytes and its handler, and tasks wake each other without a lock.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{Semaphore, watch};

use crate::batching::{Backlog, WakeQueue};
use crate::rest::rest;
use crate::{busy_poll, deadline};

/// The threads. Dropping them ends every connection they serve.
#[derive(Debug)]
pub(crate) struct IoThreads {
    /// Each connection holds a clone of its thread's handle.
    handles: Vec<Arc<Handle>>,
    threads: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl IoThreads {
    /// Starts `count` threads for a process that may use so many cores. They look for the next
    /// request for `busy_poll` before they sleep, and rest while the backlog is deep.
    ///
    /// # Errors
    /// The operating system's, if it gives no thread.
    pub(crate) fn start(
        count: usize,
        cores: usize,
        busy_poll: Duration,
        backlog: &Arc<Backlog>,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        // A thread that looks takes a core from those that compute.
        let lookers = Arc::new(Semaphore::new(cores / 2));
        let (mut handles, mut threads) = (Vec::new(), Vec::new());
        for index in 0..count {
            let backlog = Arc::clone(backlog);
            let runtime = Builder::new_current_thread()
                .enable_all()
                .on_thread_park(move || rest(&backlog))
                .build()?;
            handles.push(Arc::new(runtime.handle().clone()));
            let mut stopped = stopped.clone();
            let lookers = Arc::clone(&lookers);
            let thread = thread::Builder::new().name(format!("io-{index}"));
            threads.push(thread.spawn(move || {
                runtime.spawn(WakeQueue::for_this_thread().serve());
                runtime.spawn(deadline::serve_this_thread());
                if !busy_poll.is_zero() {
                    runtime.spawn(busy_poll::serve_this_thread(busy_poll, lookers));
                }
                // An error means that the sender is gone, which is as good as told.
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
        // Nobody listens only if every thread has ended.
        let _ = self.stop.send(true);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
