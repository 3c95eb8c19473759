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
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, sleep_until, timeout_at};

/// The deadlines that tasks of this thread wait for.
#[derive(Default)]
struct Deadlines {
    /// Whether [`serve_this_thread`] wakes them.
    is_served: bool,
    /// By time, then by order of arrival.
    waiting: BTreeMap<Key, Waker>,
    count: u64,
    /// When the timer fires.
    armed: Option<Instant>,
    /// Wakes the task that owns the timer.
    timer_task: Option<Waker>,
}

type Key = (Instant, u64);

/// One deadline, removed from the map when dropped.
struct Due {
    at: Instant,
    key: Option<Key>,
}

thread_local! {
    static HERE: RefCell<Deadlines> = RefCell::default();
}

/// The result of `work`, or `None` if the deadline expires first. The caller drops `work`.
pub(crate) async fn before<T>(
    deadline: Instant,
    mut work: Pin<&mut impl Future<Output = T>>,
) -> Option<T> {
    if !HERE.with_borrow(|here| here.is_served) {
        return timeout_at(deadline, work).await.ok();
    }
    let mut due = Due {
        at: deadline,
        key: None,
    };
    std::future::poll_fn(|context| {
        if let Poll::Ready(outcome) = work.as_mut().poll(context) {
            return Poll::Ready(Some(outcome));
        }
        due.poll(context).map(|()| None)
    })
    .await
}

/// Wakes the tasks of this thread whose deadlines expire, while it is polled on this thread.
pub(crate) fn serve_this_thread() -> impl Future<Output = Infallible> {
    HERE.set(Deadlines {
        is_served: true,
        ..Deadlines::default()
    });
    async {
        let mut timer = pin!(sleep_until(Instant::now()));
        std::future::poll_fn(|context| {
            loop {
                let now = Instant::now();
                while let Some(waker) = HERE.with_borrow_mut(|here| here.pop_due(now)) {
                    waker.wake();
                }
                let armed = HERE.with_borrow_mut(|here| {
                    here.armed = here.waiting.keys().next().map(|(at, _)| *at);
                    here.timer_task = Some(context.waker().clone());
                    here.armed
                });
                let Some(at) = armed else {
                    return Poll::Pending;
                };
                timer.as_mut().reset(at);
                if timer.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}

impl Deadlines {
    fn pop_due(&mut self, now: Instant) -> Option<Waker> {
        let first = self.waiting.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}

impl Due {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.at <= Instant::now() {
            return Poll::Ready(());
        }
        HERE.with_borrow_mut(|here| {
            let key = *self.key.get_or_insert_with(|| {
                here.count += 1;
                (self.at, here.count)
            });
            let waker = context.waker();
            let known = here.waiting.get(&key);
            if !known.is_some_and(|known| known.will_wake(waker)) {
                here.waiting.insert(key, waker.clone());
            }
            if here.armed.is_none_or(|armed| self.at < armed) {
                // Set here already, so that many deadlines wake the timer's task once.
                here.armed = Some(self.at);
                if let Some(timer_task) = &here.timer_task {
                    timer_task.wake_by_ref();
                }
            }
        });
        Poll::Pending
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            HERE.with_borrow_mut(|here| here.waiting.remove(&key));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn nobody_waits() -> bool {
        HERE.with_borrow(|here| here.waiting.is_empty())
    }

    #[tokio::test]
    async fn deadlines_expire_in_the_order_of_their_times() {
        tokio::spawn(serve_this_thread());
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
        assert!(nobody_waits());
    }

    #[tokio::test]
    async fn work_that_is_done_in_time_leaves_no_deadline() {
        tokio::spawn(serve_this_thread());
        let soon = Instant::now() + MS * 20;
        assert_eq!(before(soon, pin!(tokio::task::yield_now())).await, Some(()));
        assert!(nobody_waits());
        // The timer fires without a waiter, and is set again for a later deadline.
        assert_eq!(before(soon + MS * 20, pin!(pending::<()>())).await, None);
    }

    #[tokio::test]
    async fn a_past_deadline_expires_at_once() {
        // No task runs the timer, and none is needed.
        let _never_polled = serve_this_thread();
        assert_eq!(before(Instant::now(), pin!(pending::<()>())).await, None);
    }
}
