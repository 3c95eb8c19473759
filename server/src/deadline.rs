//! One timer for all deadlines of a thread.
//!
//! There are thousands of deadlines a second, and nearly none expires. Tokio makes a system call
//! and a wake-up for each new timer that is due before all others. So an I/O thread keeps its
//! requests' deadlines in a map, and one timer for the earliest. The next request's deadline is
//! usually later, and costs nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, sleep_until, timeout_at};

/// The deadlines that tasks of one thread wait for.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By time, then by order of arrival.
    waiting: BTreeMap<Key, Waker>,
    count: u64,
    /// When the timer fires.
    armed: Option<Instant>,
    /// Wakes the task that owns the timer.
    timer_task: Option<Waker>,
}

type Key = (Instant, u64);

/// Resolves at a time.
struct Expiry {
    at: Instant,
    deadlines: Arc<Deadlines>,
    key: Option<Key>,
}

thread_local! {
    static HERE: RefCell<Option<Arc<Deadlines>>> = const { RefCell::new(None) };
}

/// The result of `work`, or `None` if the deadline expires first. The caller drops `work`.
pub(crate) async fn before<T>(
    deadline: Instant,
    mut work: Pin<&mut impl Future<Output = T>>,
) -> Option<T> {
    let Some(deadlines) = HERE.with_borrow(Clone::clone) else {
        return timeout_at(deadline, work).await.ok();
    };
    let mut expiry = Expiry {
        at: deadline,
        deadlines,
        key: None,
    };
    std::future::poll_fn(|context| {
        if let Poll::Ready(outcome) = work.as_mut().poll(context) {
            return Poll::Ready(Some(outcome));
        }
        Pin::new(&mut expiry).poll(context).map(|()| None)
    })
    .await
}

// === impl Deadlines ===

impl Deadlines {
    /// Keeps this thread's deadlines from now on. Run [`Deadlines::run`] on the same thread.
    pub(crate) fn for_this_thread() -> Arc<Self> {
        let deadlines = Arc::<Self>::default();
        HERE.set(Some(Arc::clone(&deadlines)));
        deadlines
    }

    /// Wakes the tasks whose deadlines expire.
    pub(crate) async fn run(self: Arc<Self>) -> Infallible {
        let mut timer = pin!(sleep_until(Instant::now()));
        std::future::poll_fn(|context| {
            loop {
                let mut state = self.lock();
                let now = Instant::now();
                while let Some(first) = state.waiting.first_entry()
                    && first.key().0 <= now
                {
                    first.remove().wake();
                }
                state.armed = state.waiting.keys().next().map(|(at, _)| *at);
                state.timer_task = Some(context.waker().clone());
                let Some(at) = state.armed else {
                    return Poll::Pending;
                };
                drop(state);
                timer.as_mut().reset(at);
                if timer.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Expiry ===

impl Future for Expiry {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.at <= Instant::now() {
            return Poll::Ready(());
        }
        let this = &mut *self;
        let mut state = this.deadlines.lock();
        let key = *this.key.get_or_insert_with(|| {
            state.count += 1;
            (this.at, state.count)
        });
        let waker = context.waker();
        if !state
            .waiting
            .get(&key)
            .is_some_and(|old| old.will_wake(waker))
        {
            state.waiting.insert(key, waker.clone());
        }
        if state.armed.is_none_or(|armed| this.at < armed) {
            // Set here already, so that many deadlines wake the timer's task once.
            state.armed = Some(this.at);
            if let Some(timer_task) = &state.timer_task {
                timer_task.wake_by_ref();
            }
        }
        Poll::Pending
    }
}

impl Drop for Expiry {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.deadlines.lock().waiting.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn start() -> Arc<Deadlines> {
        let deadlines = Deadlines::for_this_thread();
        tokio::spawn(Arc::clone(&deadlines).run());
        deadlines
    }

    #[tokio::test]
    async fn deadlines_expire_in_the_order_of_their_times() {
        let deadlines = start();
        let (start, ended) = (Instant::now(), Arc::<Mutex<Vec<u32>>>::default());
        let mut tasks = tokio::task::JoinSet::new();
        for after in [40, 20, 30, 10] {
            let ended = Arc::clone(&ended);
            tasks.spawn(async move {
                let outcome = before(start + MS * after, pin!(pending::<()>())).await;
                ended.lock().unwrap().push(after);
                outcome
            });
        }
        assert_eq!(tasks.join_all().await, [None; 4]);
        assert_eq!(*ended.lock().unwrap(), [10, 20, 30, 40]);
        assert!(deadlines.lock().waiting.is_empty());
    }

    #[tokio::test]
    async fn work_that_is_done_in_time_leaves_no_deadline() {
        let deadlines = start();
        let soon = Instant::now() + MS * 20;
        assert_eq!(before(soon, pin!(tokio::task::yield_now())).await, Some(()));
        assert!(deadlines.lock().waiting.is_empty());
        // The timer fires without a waiter, and is set again for a later deadline.
        assert_eq!(before(soon + MS * 20, pin!(pending::<()>())).await, None);
    }

    #[tokio::test]
    async fn a_past_deadline_expires_at_once() {
        // No task runs the timer, and none is needed.
        let _deadlines = Deadlines::for_this_thread();
        assert_eq!(before(Instant::now(), pin!(pending::<()>())).await, None);
    }
}
