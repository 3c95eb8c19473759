//! Looking for the next request before sleeping, where it has lately come soon.
//!
//! A thread that sleeps at its sockets is woken by the kernel, and often its core with it: tens of
//! microseconds on a virtual machine, after which caches and branch predictors have to learn the
//! program again. A caller that sends its next request once it has the answer to the last waits for
//! all of that each time. So an I/O thread that has answered everything looks at its sockets for a
//! bounded time before it sleeps ("busy polling", as in Linux's `SO_BUSY_POLL` and KVM's
//! `halt_poll_ns`). It does so only while requests do come in that time as a rule: an idle server
//! sleeps.

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

/// What this I/O thread knows of its requests, and whether to look for the next.
struct State {
    /// How long to look; zero: never.
    time: Duration,
    /// Requests being answered; of streams only those whose headers are not out yet.
    under_way: usize,
    /// When the last of them was answered; `None` while there are any, and before the first.
    resting: Option<Instant>,
    habit: Habit,
    /// Wakes the task that looks.
    looker: Option<Waker>,
}

/// Whether the next request will come soon, judged by those before: a saturating counter, as branch
/// predictors have. It expects so while more than two in three did.
#[derive(Debug, Default, Clone, Copy)]
struct Habit(u8);

/// A request being answered, until dropped on the same thread.
#[derive(Debug)]
#[must_use]
pub(crate) struct UnderWay(());

thread_local! {
    static HERE: RefCell<State> = const { RefCell::new(State::new(Duration::ZERO)) };
}

/// A request has come at `now`, on this thread. A stream counts until its answer's headers: it may
/// rest as long as it likes, and what comes in it is no request of its own here.
pub(crate) fn enter(now: Instant) -> UnderWay {
    HERE.with_borrow_mut(|here| {
        if let Some(since) = here.resting.take() {
            here.habit.record(now - since <= here.time);
        }
        here.under_way += 1;
    });
    UnderWay(())
}

/// Keeps this thread from sleeping, for at most `time` after the last request was answered, for as
/// long as it is polled here. Threads look while they hold a permit of `lookers`.
pub(crate) fn serve_this_thread(
    time: Duration,
    lookers: Arc<Semaphore>,
) -> impl Future<Output = Infallible> {
    HERE.set(State::new(time));
    async move {
        let mut last = None;
        loop {
            let since = rest_after(last).await;
            last = Some(since);
            let Ok(_looking) = lookers.try_acquire() else {
                continue;
            };
            while HERE.with_borrow(|here| here.resting) == last && since.elapsed() < time {
                // Other threads of this process go first.
                std::thread::yield_now();
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Resolves when everything is answered and the next request expected soon, once for each time
/// after `last`.
async fn rest_after(last: Option<Instant>) -> Instant {
    std::future::poll_fn(|context| {
        HERE.with_borrow_mut(|here| match here.resting {
            Some(since) if Some(since) != last && here.habit.expects_soon() => Poll::Ready(since),
            _ => {
                here.looker = Some(context.waker().clone());
                Poll::Pending
            }
        })
    })
    .await
}

impl State {
    const fn new(time: Duration) -> Self {
        Self {
            time,
            under_way: 0,
            resting: None,
            habit: Habit(0),
            looker: None,
        }
    }
}

impl Habit {
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
        let looker = HERE.with_borrow_mut(|here| {
            here.under_way = here.under_way.saturating_sub(1);
            if here.under_way > 0 || here.time.is_zero() {
                return None;
            }
            here.resting = Some(Instant::now());
            here.looker.take_if(|_| here.habit.expects_soon())
        });
        if let Some(looker) = looker {
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
        lookers: Arc<Semaphore>,
        most: usize,
        started: Instant,
    }

    impl Thread {
        fn new(cores: usize, time: Duration) -> Self {
            let most = cores / 2;
            let lookers = Arc::new(Semaphore::new(most));
            tokio::spawn(serve_this_thread(time, Arc::clone(&lookers)));
            Self {
                lookers,
                most,
                started: Instant::now(),
            }
        }

        /// A request comes before the last was answered, by its clock, so in no time, and is
        /// answered at once.
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
            self.lookers.available_permits() < self.most
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
                habit.record(soon);
            }
            // Each look in vain is paid for by two requests that came soon.
            proptest::prop_assert!(looked_in_vain * 2 <= soon_in_all);
        }
    }
}
