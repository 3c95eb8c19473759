//! How many batches run for engines that are behind, for the threads that read requests.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Shared by the engines of a process.
#[derive(Debug)]
pub struct Backlog {
    enough: usize,
    /// Batches that run for engines that are behind.
    running: AtomicUsize,
}

impl Backlog {
    /// For a process in which `enough` batches leave no core idle.
    pub fn of(enough: usize) -> Self {
        Self {
            enough,
            running: AtomicUsize::new(0),
        }
    }

    /// Whether every core computes for engines that are so far behind that reading more requests
    /// only takes cores from those that wait.
    pub fn is_deep(&self) -> bool {
        self.running.load(Ordering::Relaxed) >= self.enough
    }

    /// An engine runs `now` batches while it is behind, and was counted with `before`.
    pub(super) fn update(&self, before: usize, now: usize) {
        let change = now.wrapping_sub(before);
        self.running.fetch_add(change, Ordering::Relaxed);
    }
}
