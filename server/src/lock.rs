//! Locks whose values stay sound when a thread that holds them panics.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, whether or not another holder has panicked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
