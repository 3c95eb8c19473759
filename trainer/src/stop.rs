//! Stopping on Ctrl-C and SIGTERM.

use std::io::{self, Write};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code of a program that Ctrl-C ended, as a shell reports it.
pub const STOPPED: u8 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Lets Ctrl-C, SIGTERM and SIGHUP ask training to stop. Between training steps that stops at once;
/// judging an epoch and writing a bundle are finished first. A second signal ends the process at
/// once: checkpoints and bundles are written beside their places and renamed, so only what was not
/// yet written is lost.
pub fn on_signals() -> Result<(), ctrlc::Error> {
    let handler = || {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            #[expect(clippy::exit, reason = "the user asked twice")]
            process::exit(i32::from(STOPPED));
        }
        // A closed standard error cannot be reported.
        let _ = writeln!(io::stderr(), "\nstopping; once more stops at once");
    };
    match ctrlc::set_handler(handler) {
        // An earlier command of this process has set the same.
        Err(ctrlc::Error::MultipleHandlers) => Ok(()),
        result => result,
    }
}

/// Whether a signal asked to stop.
pub fn is_requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
