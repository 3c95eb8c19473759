//! Stopping on Ctrl-C and SIGTERM.

use std::io::{self, Write};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a program returns that Ctrl-C ended, as a shell reports it.
pub const STOPPED: u8 = 130;

/// Says whether training should stop; clones share the answer.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

// === impl Stop ===

impl Stop {
    /// One that Ctrl-C, SIGTERM and SIGHUP set. Between training steps that stops at once; judging an epoch and writing a
    /// bundle are finished first. A second signal ends the process there and then: checkpoints and bundles are written beside
    /// their places and renamed, so it costs no more than what was not yet written.
    pub fn on_signals() -> Result<Self, ctrlc::Error> {
        let stop = Self::default();
        let shared = stop.clone();
        ctrlc::set_handler(move || {
            if shared.request() {
                process::exit(i32::from(STOPPED));
            }
            // Nobody is there to be told that standard error is closed.
            let _ = writeln!(io::stderr(), "\nstopping; once more stops at once");
        })?;
        Ok(stop)
    }

    /// Asks to stop after the step that is running; whether someone had asked before.
    pub fn request(&self) -> bool {
        self.0.swap(true, Ordering::Relaxed)
    }

    /// Whether someone asked.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_request_knows_of_the_first() {
        let stop = Stop::default();
        let shared = stop.clone();
        assert!(!stop.is_requested());
        assert!(!shared.request());
        assert!(stop.is_requested());
        assert!(stop.request());
    }
}
