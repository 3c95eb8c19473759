//! Stopping on Ctrl-C and SIGTERM.

use std::io::{self, Write};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// The exit code of a program that Ctrl-C ended, as a shell reports it.
pub const STOPPED: u8 = 130;

/// Says whether training should stop; clones share the answer.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

// === impl Stop ===

impl Stop {
    /// One that Ctrl-C, SIGTERM and SIGHUP set; a process has one. Between training steps that stops
    /// at once; judging an epoch and writing a bundle are finished first. A second signal ends the
    /// process at once: checkpoints and bundles are written beside their places and renamed, so only
    /// what was not yet written is lost.
    pub fn on_signals() -> Result<Self, ctrlc::Error> {
        static SHARED: OnceLock<Stop> = OnceLock::new();
        if let Some(stop) = SHARED.get() {
            return Ok(stop.clone());
        }
        let stop = SHARED.get_or_init(Self::default);
        ctrlc::set_handler(|| {
            if stop.request() {
                process::exit(i32::from(STOPPED));
            }
            // A closed standard error cannot be reported.
            let _ = writeln!(io::stderr(), "\nstopping; once more stops at once");
        })?;
        Ok(stop.clone())
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
