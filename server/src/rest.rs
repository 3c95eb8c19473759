//! When an I/O thread leaves its sockets alone for a moment.
//!
//! Each look at the sockets takes a core from a batch, often for only a request or two. While every
//! core computes for models that are far behind, those requests wait for longer anyway, or are
//! refused. Callers of other models do not pay for that: while there are any on the thread, it
//! looks as usual.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use crate::batching::Backlog;

const PAUSE: Duration = Duration::from_millis(1);

/// So often a thread looks at its sockets after a request for a model that is not behind, before it
/// may rest: for a few milliseconds, in which a caller that sends one request after another has
/// done so.
const LOOKS: u32 = 64;

thread_local! {
    /// Looks that are left before a rest.
    static LEFT: Cell<u32> = const { Cell::new(0) };
}

/// A request has come on this thread for a model that is not behind.
pub(crate) fn postpone() {
    LEFT.set(LOOKS);
}

/// Rests if the thread may. Called before the thread sleeps at its sockets.
pub(crate) fn rest(backlog: &Backlog) {
    if backlog.is_deep() && may_rest() {
        thread::sleep(PAUSE);
    }
}

fn may_rest() -> bool {
    let left = LEFT.get();
    LEFT.set(left.saturating_sub(1));
    left == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_for_another_model_is_followed_by_looks() {
        assert!(may_rest() && may_rest());
        postpone();
        let looks = (0..1000).take_while(|_| !may_rest()).count();
        assert_eq!(looks, LOOKS as usize);
        assert!(may_rest());
    }
}
