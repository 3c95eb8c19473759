//! Deadlines, thousands a second, of which nearly none passes.
//!
//! Tokio tells its driver of each new timer that is due before the others by a system call, and
//! each wakes the thread once more. So an I/O thread keeps the deadlines of its requests in a list,
//! and one timer for the earliest: the next request's is later as a rule, and costs nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, sleep_until, timeout_at};

/// The deadlines that tasks of this thread wait for.
struct Deadlines {
    /// Whether [`serve_this_thread`] wakes them.
    is_served: bool,
    /// By time, then by the order they came in.
    waiting: BTreeMap<Key, Waker>,
    count: u64,
    /// What the timer is set to.
    armed: Option<Instant>,
    /// Wakes the task that has the timer.
    server: Option<Waker>,
}

type Key = (Instant, u64);

/// One deadline, removed from the list when dropped.
struct Due {
    at: Instant,
    key: Option<Key>,
}

thread_local! {
    static HERE: RefCell<Deadlines> = const { RefCell::new(Deadlines::new()) };
}

/// Resolves as `work` does, unless the deadline passes before: then the result is `None`, and who
/// pinned `work` drops it.
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

/// Wakes the tasks of this thread whose deadlines have passed, for as long as it is polled here.
pub(crate) fn serve_this_thread() -> impl Future<Output = Infallible> {
    HERE.set(Deadlines {
        is_served: true,
        ..Deadlines::new()
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
                    here.server = Some(context.waker().clone());
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
    const fn new() -> Self {
        Self {
            is_served: false,
            waiting: BTreeMap::new(),
            count: 0,
            armed: None,
            server: None,
        }
    }

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
                // Set here already, so that the timer's task is woken once for many.
                here.armed = Some(self.at);
                if let Some(server) = &here.server {
                    server.wake_by_ref();
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
    async fn they_end_in_the_order_of_their_times() {
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
    async fn what_is_done_in_time_leaves_no_trace() {
        tokio::spawn(serve_this_thread());
        let soon = Instant::now() + MS * 20;
        assert_eq!(before(soon, pin!(tokio::task::yield_now())).await, Some(()));
        assert!(nobody_waits());
        // The timer goes off for nobody, and is set again for a later one.
        assert_eq!(before(soon + MS * 20, pin!(pending::<()>())).await, None);
    }

    #[tokio::test]
    async fn a_time_that_has_passed_is_due_at_once() {
        // Nobody minds the timer, and none is needed.
        let _never_polled = serve_this_thread();
        assert_eq!(before(Instant::now(), pin!(pending::<()>())).await, None);
    }
}
