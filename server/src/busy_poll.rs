//! Looking for the next request before sleeping, where it has lately come soon.
//!
//! A thread that sleeps at its sockets is woken by the kernel, and often its core with it: tens of microseconds on a
//! virtual machine, after which caches and branch predictors have to learn the program again. A caller that sends its
//! next request once it has the answer to the last waits for all of that each time. So an I/O thread that has answered
//! everything looks at its sockets for a bounded time before it sleeps ("busy polling", as in Linux's `SO_BUSY_POLL` and
//! KVM's `halt_poll_ns`). It does so only while requests do come in that time as a rule: an idle server sleeps.

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

/// What one I/O thread knows of its requests, and whether to look for the next.
#[derive(Debug)]
pub(crate) struct BusyPoll {
    time: Duration,
    lookers: Arc<Lookers>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Requests being answered; of streams only those whose headers are not out yet.
    under_way: usize,
    /// When the last of them was answered; `None` while there are any, and before the first.
    resting: Option<Instant>,
    habit: Habit,
    /// Wakes the task that looks.
    looker: Option<Waker>,
}

/// Whether the next request will come soon, judged by those before: a saturating counter, as branch predictors have.
/// It expects so while more than two in three did.
#[derive(Debug, Default, Clone, Copy)]
struct Habit(u8);

/// How many threads may look at once: each may take a core from those that compute.
#[derive(Debug)]
pub(crate) struct Lookers {
    most: usize,
    taken: AtomicUsize,
}

/// Leave to look, given back when dropped.
struct Looking<'a>(&'a Lookers);

/// A request being answered, until dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct UnderWay(Option<Arc<BusyPoll>>);

thread_local! {
    static HERE: RefCell<Option<Arc<BusyPoll>>> = const { RefCell::new(None) };
}

/// A request has come at `now`, on this thread. A stream counts until its answer's headers: it may rest as long as it
/// likes, and what comes in it is no request of its own here.
pub(crate) fn enter(now: Instant) -> UnderWay {
    let here = HERE.with_borrow(Clone::clone);
    if let Some(here) = &here {
        let mut state = here.lock();
        if let Some(since) = state.resting.take() {
            state.habit.then(now - since <= here.time);
        }
        state.under_way += 1;
    }
    UnderWay(here)
}

// === impl BusyPoll ===

impl BusyPoll {
    /// From now on, requests on this thread are noted here; run [`BusyPoll::look`] on the same thread.
    pub(crate) fn for_this_thread(time: Duration, lookers: Arc<Lookers>) -> Arc<Self> {
        let this = Arc::new(Self {
            time,
            lookers,
            state: Mutex::default(),
        });
        HERE.set(Some(Arc::clone(&this)));
        this
    }

    /// Keeps the thread from sleeping, for at most `time` after the last request was answered, for as long as it is polled.
    pub(crate) async fn look(self: Arc<Self>) -> Infallible {
        let mut last = None;
        loop {
            let since = self.rest_after(last).await;
            last = Some(since);
            let Some(_looking) = self.lookers.take() else {
                continue;
            };
            while self.lock().resting == last && since.elapsed() < self.time {
                // Other threads of this process go first.
                std::thread::yield_now();
                tokio::task::yield_now().await;
            }
        }
    }

    /// Resolves when everything is answered and the next request expected soon, once for each time after `last`.
    async fn rest_after(&self, last: Option<Instant>) -> Instant {
        std::future::poll_fn(|context| {
            let mut state = self.lock();
            match state.resting {
                Some(since) if Some(since) != last && state.habit.expects_soon() => {
                    Poll::Ready(since)
                }
                _ => {
                    state.looker = Some(context.waker().clone());
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

// === impl Habit ===

impl Habit {
    const SURE: u8 = 8;

    fn then(&mut self, soon: bool) {
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

// === impl Lookers ===

impl Lookers {
    /// For a process that may use so many cores: half of them.
    pub(crate) fn among(cores: usize) -> Self {
        Self {
            most: cores / 2,
            taken: AtomicUsize::new(0),
        }
    }

    fn take(&self) -> Option<Looking<'_>> {
        let free = |taken: usize| (taken < self.most).then_some(taken + 1);
        let taken = self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        taken.is_ok().then_some(Looking(self))
    }
}

impl Drop for Looking<'_> {
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
        state.resting = Some(Instant::now());
        if state.habit.expects_soon()
            && let Some(looker) = state.looker.take()
        {
            looker.wake();
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
        lookers: Arc<Lookers>,
        started: Instant,
    }

    impl Thread {
        fn new(cores: usize, time: Duration) -> Self {
            let lookers = Arc::new(Lookers::among(cores));
            tokio::spawn(BusyPoll::for_this_thread(time, Arc::clone(&lookers)).look());
            Self {
                lookers,
                started: Instant::now(),
            }
        }

        /// A request comes before the last was answered, by its clock, so in no time, and is answered at once.
        async fn soon(&self) {
            drop(enter(self.started));
            tokio::task::yield_now().await;
        }

        /// Enough requests come soon for it to look.
        async fn learn(&self) {
            for _ in 0..6 {
                self.soon().await;
            }
        }

        async fn late(&self) {
            drop(enter(Instant::now() + LONG * 2));
            tokio::task::yield_now().await;
        }

        fn looks(&self) -> bool {
            self.lookers.taken.load(Ordering::Relaxed) == 1
        }
    }

    #[tokio::test]
    async fn it_looks_while_requests_come_soon_as_a_rule() {
        let thread = Thread::new(2, LONG);
        for _ in 0..5 {
            thread.soon().await;
            assert!(!thread.looks());
        }
        thread.soon().await;
        assert!(thread.looks());
        // One that comes late counts as much as two that come soon.
        thread.late().await;
        thread.soon().await;
        assert!(!thread.looks());
        thread.soon().await;
        assert!(thread.looks());
    }

    #[tokio::test]
    async fn it_gives_up_after_its_time() {
        let thread = Thread::new(2, Duration::from_millis(2));
        thread.learn().await;
        let since = Instant::now();
        while thread.looks() {
            tokio::task::yield_now().await;
            assert!(since.elapsed() < Duration::from_mins(1));
        }
        // Nor does it begin again.
        tokio::task::yield_now().await;
        assert!(!thread.looks());
    }

    #[tokio::test]
    async fn it_does_not_look_while_a_request_is_answered() {
        let thread = Thread::new(2, LONG);
        thread.learn().await;
        let (one, other) = (enter(thread.started), enter(thread.started));
        tokio::task::yield_now().await;
        assert!(!thread.looks());
        drop(one);
        tokio::task::yield_now().await;
        assert!(!thread.looks());
        drop(other);
        tokio::task::yield_now().await;
        assert!(thread.looks());
    }

    #[tokio::test]
    async fn a_single_core_is_never_kept_awake() {
        let thread = Thread::new(1, LONG);
        for _ in 0..10 {
            thread.soon().await;
            assert!(!thread.looks());
        }
    }

    proptest::proptest! {
        #[test]
        fn whoever_comes_late_as_often_as_not_is_not_waited_for(gaps: Vec<bool>) {
            let mut habit = Habit::default();
            let mut looked_in_vain = 0;
            let mut soon_in_all = 0;
            for soon in gaps {
                if habit.expects_soon() && !soon {
                    looked_in_vain += 1;
                }
                soon_in_all += u32::from(soon);
                habit.then(soon);
            }
            // Each look in vain is paid for by two requests that came soon.
            proptest::prop_assert!(looked_in_vain * 2 <= soon_in_all);
        }
    }
}
