//! Busy polling: an idle I/O thread polls its sockets for a bounded time before it sleeps.
//!
//! Waking a sleeping thread, and often its core, takes tens of microseconds on a virtual machine.
//! Caches and branch predictors are cold afterwards. A caller that waits for each response before
//! its next request pays for that each time. Linux's `SO_BUSY_POLL` and KVM's `halt_poll_ns` use
//! the same remedy. A thread polls only if requests usually come that soon: an idle server sleeps.

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

/// One I/O thread's requests in flight, and whether to poll for the next.
#[derive(Debug)]
pub(crate) struct BusyPoll {
    time: Duration,
    pollers: Arc<Pollers>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
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

/// How many threads may poll at once: each may take a core from batches.
#[derive(Debug)]
pub(crate) struct Pollers {
    most: usize,
    taken: AtomicUsize,
}

/// Permission to poll, returned when dropped.
struct Permit<'a>(&'a Pollers);

/// A request in flight, until dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct UnderWay(Option<Arc<BusyPoll>>);

thread_local! {
    static HERE: RefCell<Option<Arc<BusyPoll>>> = const { RefCell::new(None) };
}

/// Counts a request that arrived at `now` on this thread. The messages of a stream are not counted:
/// a stream may be idle for long.
pub(crate) fn enter(now: Instant) -> UnderWay {
    let here = HERE.with_borrow(Clone::clone);
    if let Some(here) = &here {
        let mut state = here.lock();
        if let Some(since) = state.idle_since.take() {
            state.arrivals.record(now - since <= here.time);
        }
        state.under_way += 1;
    }
    UnderWay(here)
}

// === impl BusyPoll ===

impl BusyPoll {
    /// Counts this thread's requests from now on. Run [`BusyPoll::run`] on the same thread.
    pub(crate) fn for_this_thread(time: Duration, pollers: Arc<Pollers>) -> Arc<Self> {
        let this = Arc::new(Self {
            time,
            pollers,
            state: Mutex::default(),
        });
        HERE.set(Some(Arc::clone(&this)));
        this
    }

    /// Keeps the thread awake for up to `time` after its last response.
    pub(crate) async fn run(self: Arc<Self>) -> Infallible {
        let mut last = None;
        loop {
            let since = self.idle_after(last).await;
            last = Some(since);
            let Some(_permit) = self.pollers.acquire() else {
                continue;
            };
            while self.lock().idle_since == last && since.elapsed() < self.time {
                // Other threads of this process go first.
                std::thread::yield_now();
                tokio::task::yield_now().await;
            }
        }
    }

    /// Resolves when the thread becomes idle and expects a request soon, once for each time after
    /// `last`.
    async fn idle_after(&self, last: Option<Instant>) -> Instant {
        std::future::poll_fn(|context| {
            let mut state = self.lock();
            match state.idle_since {
                Some(since) if Some(since) != last && state.arrivals.expects_soon() => {
                    Poll::Ready(since)
                }
                _ => {
                    state.poller = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Arrivals ===

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

// === impl Pollers ===

impl Pollers {
    /// Half of the cores that the process may use.
    pub(crate) fn among(cores: usize) -> Self {
        Self {
            most: cores / 2,
            taken: AtomicUsize::new(0),
        }
    }

    fn acquire(&self) -> Option<Permit<'_>> {
        let free = |taken: usize| (taken < self.most).then_some(taken + 1);
        let taken = self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        taken.is_ok().then_some(Permit(self))
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl UnderWay ===

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Some(here) = &self.0 else { return };
        let mut state = here.lock();
        state.under_way -= 1;
        if state.under_way > 0 {
            return;
        }
        state.idle_since = Some(Instant::now());
        if state.arrivals.expects_soon()
            && let Some(poller) = state.poller.take()
        {
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
        pollers: Arc<Pollers>,
        started: Instant,
    }

    impl Thread {
        fn new(cores: usize, time: Duration) -> Self {
            let pollers = Arc::new(Pollers::among(cores));
            tokio::spawn(BusyPoll::for_this_thread(time, Arc::clone(&pollers)).run());
            Self {
                pollers,
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
            self.pollers.taken.load(Ordering::Relaxed) == 1
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
