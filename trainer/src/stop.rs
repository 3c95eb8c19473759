//! Stopping on Ctrl-C and SIGTERM.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Says whether training should stop; clones share the answer.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

// === impl Stop ===

impl Stop {
    /// One that Ctrl-C, SIGTERM and SIGHUP set.
    pub fn on_signals() -> Result<Self, ctrlc::Error> {
        let stop = Self::default();
        let shared = stop.clone();
        ctrlc::set_handler(move || shared.request())?;
        Ok(stop)
    }

    /// Asks to stop after the step that is running.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether someone asked.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
