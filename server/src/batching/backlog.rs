//! How many batches run in the process, in all and for engines that are behind.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Shared by the engines of a process.
#[derive(Debug)]
pub struct Backlog {
    enough: usize,
    /// Batches that run.
    running: AtomicUsize,
    /// Batches that run for engines that are behind.
    running_behind: AtomicUsize,
}

impl Backlog {
    /// For a process in which `enough` batches leave no core idle.
    pub fn of(enough: usize) -> Self {
        Self {
            enough,
            running: AtomicUsize::new(0),
            running_behind: AtomicUsize::new(0),
        }
    }

    /// Whether every core computes for engines that are so far behind that reading more requests
    /// only takes cores from those that wait.
    pub fn is_deep(&self) -> bool {
        self.running_behind.load(Ordering::Relaxed) >= self.enough
    }

    /// Whether no engine runs a batch.
    pub(super) fn is_idle(&self) -> bool {
        self.running.load(Ordering::Relaxed) == 0
    }

    /// A batch begins.
    pub(super) fn begin(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    /// A batch has ended.
    pub(super) fn end(&self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }

    /// An engine runs `now` batches while it is behind, and was counted with `before`.
    pub(super) fn update(&self, before: usize, now: usize) {
        let change = now.wrapping_sub(before);
        self.running_behind.fetch_add(change, Ordering::Relaxed);
    }
}
