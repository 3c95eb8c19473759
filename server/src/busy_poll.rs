//! Busy polling: an idle I/O thread polls its sockets for a bounded time before it sleeps.
//!
//! Waking a sleeping thread, and often its core, takes tens of microseconds on a virtual machine.
//! Caches and branch predictors are cold afterwards. A caller that waits for each response before
//! its next request pays for that each time. Linux's `SO_BUSY_POLL` and KVM's `halt_poll_ns` use
//! the same remedy. A thread polls only if requests usually come that soon: an idle server sleeps.

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

/// This I/O thread's requests in flight, and whether to poll for the next.
#[derive(Default)]
struct State {
    /// How long to poll. Zero: never.
    time: Duration,
    /// Requests being answered. A stream counts until its response headers are sent.
    under_way: usize,
    /// When the last of them was answered. `None` while there are any, and before the first.
    idle_since: Option<Instant>,
    arrivals: Arrivals,
    /// Wakes the task that polls.
    poller: Option<Waker>,
}

/// Predicts whether the next request comes soon: a saturating counter, as in branch predictors. It
/// predicts so while more than two in three requests did.
#[derive(Debug, Default, Clone, Copy)]
struct Arrivals(u8);

/// A request in flight, until dropped on the same thread.
#[derive(Debug)]
#[must_use]
pub(crate) struct UnderWay(());

thread_local! {
    static HERE: RefCell<State> = RefCell::default();
}

/// Counts a request that arrived at `now` on this thread. The messages of a stream are not counted:
/// a stream may be idle for long.
pub(crate) fn enter(now: Instant) -> UnderWay {
    HERE.with_borrow_mut(|here| {
        if let Some(since) = here.idle_since.take() {
            here.arrivals.record(now - since <= here.time);
        }
        here.under_way += 1;
    });
    UnderWay(())
}

/// Keeps this thread awake for up to `time` after its last response. A thread polls while it holds
/// a permit.
pub(crate) fn serve_this_thread(
    time: Duration,
    permits: Arc<Semaphore>,
) -> impl Future<Output = Infallible> {
    HERE.set(State {
        time,
        ..State::default()
    });
    async move {
        let mut last = None;
        loop {
            let since = idle_after(last).await;
            last = Some(since);
            let Ok(_permit) = permits.try_acquire() else {
                continue;
            };
            while HERE.with_borrow(|here| here.idle_since) == last && since.elapsed() < time {
                // Other threads of this process go first.
                std::thread::yield_now();
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Resolves when the thread becomes idle and expects a request soon, once for each time after
/// `last`.
async fn idle_after(last: Option<Instant>) -> Instant {
    std::future::poll_fn(|context| {
        HERE.with_borrow_mut(|here| match here.idle_since {
            Some(since) if Some(since) != last && here.arrivals.expects_soon() => {
                Poll::Ready(since)
            }
            _ => {
                here.poller = Some(context.waker().clone());
                Poll::Pending
            }
        })
    })
    .await
}

impl Arrivals {
    const SURE: u8 = 8;

    fn record(&mut self, soon: bool) {
        self.0 = if soon {
            (self.0 + 1).min(Self::SURE)
        } else {
            self.0.saturating_sub(2)
        };
    }

    fn expects_soon(self) -> bool {
        self.0 > Self::SURE / 2
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let poller = HERE.with_borrow_mut(|here| {
            here.under_way = here.under_way.saturating_sub(1);
            if here.under_way > 0 || here.time.is_zero() {
                return None;
            }
            here.idle_since = Some(Instant::now());
            here.poller.take_if(|_| here.arrivals.expects_soon())
        });
        if let Some(poller) = poller {
            poller.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than any test takes.
    const LONG: Duration = Duration::from_hours(1);

    /// This test's thread as an I/O thread.
    struct Thread {
        permits: Arc<Semaphore>,
        most: usize,
        started: Instant,
    }

    impl Thread {
        fn new(cores: usize, time: Duration) -> Self {
            let most = cores / 2;
            let permits = Arc::new(Semaphore::new(most));
            tokio::spawn(serve_this_thread(time, Arc::clone(&permits)));
            Self {
                permits,
                most,
                started: Instant::now(),
            }
        }

        /// A request arrives before the last response, by its clock, and is answered at once.
        async fn soon(&self) {
            drop(enter(self.started));
            tokio::task::yield_now().await;
        }

        /// Enough requests come soon for the thread to poll.
        async fn learn(&self) {
            for _ in 0..6 {
                self.soon().await;
            }
        }

        async fn late(&self) {
            drop(enter(Instant::now() + LONG * 2));
            tokio::task::yield_now().await;
        }

        fn polls(&self) -> bool {
            self.permits.available_permits() < self.most
        }
    }

    #[tokio::test]
    async fn it_polls_if_requests_usually_come_soon() {
        let thread = Thread::new(2, LONG);
        for _ in 0..5 {
            thread.soon().await;
            assert!(!thread.polls());
        }
        thread.soon().await;
        assert!(thread.polls());
        // A late request counts as much as two that come soon.
        thread.late().await;
        thread.soon().await;
        assert!(!thread.polls());
        thread.soon().await;
        assert!(thread.polls());
    }

    #[tokio::test]
    async fn it_stops_after_its_time() {
        let thread = Thread::new(2, Duration::from_millis(2));
        thread.learn().await;
        let since = Instant::now();
        while thread.polls() {
            tokio::task::yield_now().await;
            assert!(since.elapsed() < Duration::from_mins(1));
        }
        // It does not start again.
        tokio::task::yield_now().await;
        assert!(!thread.polls());
    }

    #[tokio::test]
    async fn it_does_not_poll_while_a_request_is_in_flight() {
        let thread = Thread::new(2, LONG);
        thread.learn().await;
        let (one, other) = (enter(thread.started), enter(thread.started));
        tokio::task::yield_now().await;
        assert!(!thread.polls());
        drop(one);
        tokio::task::yield_now().await;
        assert!(!thread.polls());
        drop(other);
        tokio::task::yield_now().await;
        assert!(thread.polls());
    }

    #[tokio::test]
    async fn a_single_core_is_never_kept_awake() {
        let thread = Thread::new(1, LONG);
        for _ in 0..10 {
            thread.soon().await;
            assert!(!thread.polls());
        }
    }

    proptest::proptest! {
        #[test]
        fn polls_in_vain_are_bounded_by_requests_that_came_soon(gaps: Vec<bool>) {
            let mut arrivals = Arrivals::default();
            let mut in_vain = 0;
            let mut soon_in_all = 0;
            for soon in gaps {
                if arrivals.expects_soon() && !soon {
                    in_vain += 1;
                }
                soon_in_all += u32::from(soon);
                arrivals.record(soon);
            }
            // Two requests that came soon pay for each poll in vain.
            proptest::prop_assert!(in_vain * 2 <= soon_in_all);
        }
    }
}
