//! Wake-ups across threads, a batch at a time.
//!
//! A batch answers many callers at once. Waking each caller's task from another thread costs a
//! system call apiece, as Tokio wakes the runtime for every one. So a thread that runs callers'
//! tasks has a [`WakeQueue`]: the wakers of a batch are put there together, the thread is woken
//! once, and wakes its own tasks, which costs next to nothing.

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use smallvec::SmallVec;

use crate::lock::lock;

/// The tasks of one thread that are to be woken there.
#[derive(Debug, Default)]
pub struct WakeQueue {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Waker>,
    /// Wakes the task that serves the queue, while it sleeps.
    server: Option<Waker>,
}

/// A task that waits for an answer, and the queue of the thread that it runs on, if that has one.
#[derive(Debug)]
pub(super) struct Sleeper {
    pub(super) waker: Waker,
    home: Option<Arc<WakeQueue>>,
}

thread_local! {
    static HERE: RefCell<Option<Arc<WakeQueue>>> = const { RefCell::new(None) };
}

impl WakeQueue {
    /// From now on, tasks that sleep on this thread are woken through the returned queue; run
    /// [`WakeQueue::serve`] on the same thread.
    pub fn for_this_thread() -> Arc<Self> {
        let queue = Arc::<Self>::default();
        HERE.set(Some(Arc::clone(&queue)));
        queue
    }

    /// Wakes what is put into the queue, for as long as it is polled.
    pub async fn serve(self: Arc<Self>) -> Infallible {
        let mut awake = Vec::new();
        std::future::poll_fn(|context| {
            loop {
                let mut state = lock(&self.state);
                if state.waiting.is_empty() {
                    state.server = Some(context.waker().clone());
                    return Poll::Pending;
                }
                std::mem::swap(&mut state.waiting, &mut awake);
                drop(state);
                awake.drain(..).for_each(Waker::wake);
            }
        })
        .await
    }

    fn put(&self, wakers: impl Iterator<Item = Waker>) {
        let mut state = lock(&self.state);
        state.waiting.extend(wakers);
        let server = state.server.take();
        drop(state);
        if let Some(server) = server {
            server.wake();
        }
    }
}

impl Sleeper {
    /// The task of this waker, on this thread.
    pub(super) fn here(waker: &Waker) -> Self {
        Self {
            waker: waker.clone(),
            home: HERE.with_borrow(Clone::clone),
        }
    }

    fn home(&self) -> Option<*const WakeQueue> {
        self.home.as_ref().map(Arc::as_ptr)
    }
}

/// Wakes them all, each other thread once.
pub(super) fn wake(mut sleepers: SmallVec<[Sleeper; 8]>) {
    let here = HERE.with_borrow(|here| here.as_ref().map(Arc::as_ptr));
    while let Some(home) = sleepers.first().map(|first| first.home.clone()) {
        let place = home.as_ref().map(Arc::as_ptr);
        let (there, others): (SmallVec<[Sleeper; 8]>, _) = sleepers
            .into_iter()
            .partition(|sleeper| sleeper.home() == place);
        sleepers = others;
        let wakers = there.into_iter().map(|sleeper| sleeper.waker);
        match home {
            Some(home) if place != here => home.put(wakers),
            _ => wakers.for_each(Waker::wake),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn count() -> (Arc<Count>, Waker) {
        let count = Arc::<Count>::default();
        (Arc::clone(&count), Waker::from(count))
    }

    #[test]
    fn a_thread_is_called_once_for_many_tasks() {
        let queue = Arc::<WakeQueue>::default();
        let (rung, bell) = count();
        let mut context = Context::from_waker(&bell);
        let mut serve = Box::pin(Arc::clone(&queue).serve());
        assert!(serve.as_mut().poll(&mut context).is_pending());

        let (woken, task) = count();
        let sleepers = || {
            let sleeper = |_| Sleeper {
                waker: task.clone(),
                home: Some(Arc::clone(&queue)),
            };
            (0..20).map(sleeper).collect::<SmallVec<[_; 8]>>()
        };
        wake(sleepers());
        wake(sleepers());
        let counts = || {
            (
                rung.0.load(Ordering::Relaxed),
                woken.0.load(Ordering::Relaxed),
            )
        };
        assert_eq!(counts(), (1, 0));
        assert!(serve.as_mut().poll(&mut context).is_pending());
        assert_eq!(counts(), (1, 40));
        wake(sleepers());
        assert_eq!(counts(), (2, 40));
    }

    #[test]
    fn on_its_own_thread_and_without_a_queue_a_task_is_woken_at_once() {
        let (woken, task) = count();
        wake(smallvec::smallvec![Sleeper::here(&task)]);
        let thread = std::thread::spawn(move || {
            let _queue = WakeQueue::for_this_thread();
            wake(smallvec::smallvec![Sleeper::here(&task)]);
        });
        thread.join().unwrap();
        assert_eq!(woken.0.load(Ordering::Relaxed), 2);
    }
}
