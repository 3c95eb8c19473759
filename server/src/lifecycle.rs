//! Whether the server takes requests, and how many it is answering.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::watch;

use crate::error::ServeError;

/// Shared by everything that starts, refuses or waits for requests.
#[derive(Debug, Default)]
pub(crate) struct Lifecycle {
    leaving: AtomicBool,
    draining: AtomicBool,
    /// The same as `draining`, for those who wait for it.
    drained: watch::Sender<bool>,
    in_flight: AtomicUsize,
}

impl Lifecycle {
    /// The server is not ready from now on. It still takes requests, until [`Lifecycle::drain`].
    pub(crate) fn leave_service(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    /// Whether the server has begun to shut down.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// The server takes no new inference from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.drained.send_replace(true);
    }

    /// Resolves when the server drains, or when it is gone.
    pub(crate) fn drained(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut drained = self.drained.subscribe();
        async move {
            let _ = drained.wait_for(|drained| *drained).await;
        }
    }

    /// An error while draining.
    pub(crate) fn check(&self) -> Result<(), ServeError> {
        if self.draining.load(Ordering::Acquire) {
            Err(ServeError::draining())
        } else {
            Ok(())
        }
    }

    /// Requests being answered.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Counts a request in.
    pub(crate) fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request out.
    pub(crate) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
