//! How far the engines of a process are behind, for those who bring them more.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What the engines of a process share.
#[derive(Debug)]
pub struct Backlog {
    enough: usize,
    /// Batches that run for engines that are behind.
    running: AtomicUsize,
}

impl Backlog {
    /// Of a process in which so many batches leave no core idle.
    pub fn of(enough: usize) -> Self {
        Self {
            enough,
            running: AtomicUsize::new(0),
        }
    }

    /// Whether whoever brings more takes a core from what waits already: every core computes for engines that have so
    /// much waiting that it makes no difference to them when more comes.
    pub fn is_deep(&self) -> bool {
        self.running.load(Ordering::Relaxed) >= self.enough
    }

    /// An engine that is behind runs so many batches, none if it is not behind, and told of so many before.
    pub(super) fn update(&self, before: usize, now: usize) {
        if now > before {
            self.running.fetch_add(now - before, Ordering::Relaxed);
        } else {
            self.running.fetch_sub(before - now, Ordering::Relaxed);
        }
    }
}
