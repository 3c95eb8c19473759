//! Whether the server takes requests, and how many it is answering.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::error::ServeError;

/// Shared by everything that starts, refuses or waits for requests.
#[derive(Debug, Default)]
pub(crate) struct Lifecycle {
    leaving: AtomicBool,
    draining: AtomicBool,
    in_flight: AtomicUsize,
}

impl Lifecycle {
    /// Is not ready from now on; still takes requests, until [`Lifecycle::drain`].
    pub(crate) fn leave_service(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    /// Whether it has begun to shut down.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// Takes no new inference from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether it drains.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// An error while draining.
    pub(crate) fn check(&self) -> Result<(), ServeError> {
        if self.is_draining() {
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
