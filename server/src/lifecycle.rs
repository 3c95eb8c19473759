//! Whether the server accepts requests, and how many are in flight.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::watch;

use crate::error::ServeError;

/// The state of the server as a whole.
#[derive(Debug, Default)]
pub(crate) struct Lifecycle {
    leaving: AtomicBool,
    draining: AtomicBool,
    /// The same as `draining`, for tasks that wait for it.
    drained: watch::Sender<bool>,
    in_flight: AtomicUsize,
}

impl Lifecycle {
    /// Makes the server unready. It accepts requests until [`Lifecycle::drain`].
    pub(crate) fn leave_service(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    /// Whether the shutdown has started.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// Refuses new inference requests from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.drained.send_replace(true);
    }

    /// Resolves when draining starts, or when the server is dropped.
    pub(crate) fn drained(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut drained = self.drained.subscribe();
        async move {
            let _ = drained.wait_for(|drained| *drained).await;
        }
    }

    /// [`ServeError::draining`] while the server is draining.
    pub(crate) fn check(&self) -> Result<(), ServeError> {
        if self.draining.load(Ordering::Acquire) {
            Err(ServeError::draining())
        } else {
            Ok(())
        }
    }

    /// Number of requests in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Adds a request in flight.
    pub(crate) fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// Removes a request in flight.
    pub(crate) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
