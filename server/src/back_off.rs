//! Back-off under a backlog: an I/O thread waits before it polls its sockets.
//!
//! In an open loop each poll yields a request or two, and takes a core and its caches from a batch.
//! While every core computes for models with a deep backlog, new requests wait for longer anyway,
//! or are refused. A thread that has callers of other models does not back off.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use crate::batching::Backlog;

/// How long to wait.
const PAUSE: Duration = Duration::from_millis(1);

/// Polls without back-off after a request for a model without a backlog. They take a few
/// milliseconds, in which a caller in a closed loop sends its next request.
const POLLS: u32 = 64;

thread_local! {
    /// Polls without back-off that are left.
    static LEFT: Cell<u32> = const { Cell::new(0) };
}

/// Keeps this thread from backing off, after a request for a model without a backlog.
pub(crate) fn suppress() {
    LEFT.set(POLLS);
}

/// Waits if the backlog is deep. Called before the thread sleeps at its sockets.
pub(crate) fn back_off(backlog: &Backlog) {
    if backlog.is_deep() && may_back_off() {
        thread::sleep(PAUSE);
    }
}

fn may_back_off() -> bool {
    let left = LEFT.get();
    LEFT.set(left.saturating_sub(1));
    left == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_for_another_model_suppresses_back_off() {
        assert!(may_back_off() && may_back_off());
        suppress();
        let polls = (0..1000).take_while(|_| !may_back_off()).count();
        assert_eq!(polls, POLLS as usize);
        assert!(may_back_off());
    }
}
