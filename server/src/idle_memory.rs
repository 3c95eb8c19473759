//! Memory that goes back to the operating system while an I/O thread is idle.
//!
//! mimalloc keeps what a thread has freed until that thread allocates again. So a server would keep
//! the memory of a flood for as long as nobody calls it.

use std::convert::Infallible;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How often a thread looks at what it did.
const PERIOD: Duration = Duration::from_secs(3);
/// Processor time of a period in which a thread was idle.
const IDLE: Duration = Duration::from_millis(30);

/// Gives memory back, once, whenever this thread has become idle.
pub(crate) async fn serve_this_thread() -> Infallible {
    let mut before = processor_time();
    let mut was_busy = false;
    loop {
        tokio::time::sleep(PERIOD).await;
        let is_idle = processor_time().saturating_sub(before) <= IDLE;
        if is_idle && was_busy {
            give_back();
        }
        was_busy = !is_idle;
        before = processor_time();
    }
}

/// What this thread has used.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

fn give_back() {
    #[expect(unsafe_code, reason = "a call of C without arguments to get wrong")]
    // SAFETY: mi_collect works on this thread's heap alone, whether it is in use or empty.
    unsafe {
        libmimalloc_sys::mi_collect(true);
    }
}
