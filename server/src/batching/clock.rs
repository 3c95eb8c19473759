//! The engine's time, so that tests can hold it still.

#![expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the system clock for the batching core"
)]

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A point on the [`Clock`]; the standard monotonic one, whatever tests do with the clock.
pub use std::time::Instant;

use crate::lock::lock;

/// Where the batching core reads time and sleeps.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<Mutex<Instant>>>);

impl Clock {
    /// The machine's monotonic clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// The time now.
    pub fn now(&self) -> Instant {
        match &self.0 {
            None => Instant::now(),
            Some(manual) => *lock(manual),
        }
    }

    /// Sleeps until `wake` is notified or, on the system clock, for `timeout` at most.
    pub(super) fn wait<'a, T>(
        &self,
        wake: &Condvar,
        guard: MutexGuard<'a, T>,
        timeout: Option<Duration>,
    ) -> MutexGuard<'a, T> {
        match (timeout, &self.0) {
            (Some(timeout), None) => {
                wake.wait_timeout(guard, timeout)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
            _ => wake.wait(guard).unwrap_or_else(PoisonError::into_inner),
        }
    }
}

#[cfg(test)]
mod manual {
    use super::*;

    impl Clock {
        /// A clock that stands still until [`Clock::advance`].
        pub(in crate::batching) fn manual() -> Self {
            Self(Some(Arc::new(Mutex::new(Instant::now()))))
        }

        /// Moves a manual clock on. The engine's sleepers look again only when they are woken.
        pub(in crate::batching) fn advance(&self, by: Duration) {
            let manual = self.0.as_ref().expect("only a manual clock is advanced");
            *lock(manual) += by;
        }
    }
}
