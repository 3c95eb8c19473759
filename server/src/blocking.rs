//! Long work of requests, such as decoding large pictures, on threads beside the I/O threads.
//!
//! It is shared among models: each has a thread of its own for when all others are taken, and the
//! operating system shares the cores. The requests of one model take turns.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use smallvec::SmallVec;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::error::{ServeError, Violation};
use crate::lock::lock;

/// How long a request works on its items before another one gets its turn.
const TURN: Duration = Duration::from_millis(10);

/// Runs one piece of long work per core at once, and one more for each model that would wait.
#[derive(Debug)]
pub struct Blocking {
    permits: Arc<Semaphore>,
    /// For each model that has had long work.
    reserved: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// The long work of one model.
#[derive(Debug, Clone, Copy)]
pub struct Lane<'a> {
    blocking: &'a Blocking,
    model: &'a str,
}

/// Tells the work whether anybody still waits for its result.
#[derive(Debug)]
pub struct Caller(Weak<()>);

impl Blocking {
    /// For a process that may use `cores` cores.
    pub fn new(cores: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(cores)),
            reserved: Mutex::default(),
        }
    }

    /// For the work of this model.
    pub fn lane<'a>(&'a self, model: &'a str) -> Lane<'a> {
        Lane {
            blocking: self,
            model,
        }
    }
}

impl Lane<'_> {
    /// Runs `work` on a blocking thread.
    ///
    /// # Errors
    /// The work's, and [`ServeError::Internal`] if it panics.
    pub async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&Caller) -> Result<T, ServeError> + Send + 'static,
    ) -> Result<T, ServeError> {
        let fault = |error: &dyn Display| ServeError::fault("blocking work", error);
        let alive = Arc::new(());
        let caller = Caller(Arc::downgrade(&alive));
        let permit = self.acquire().await.map_err(|error| fault(&error))?;
        let task = spawn_blocking(move || {
            let result = work(&caller);
            drop(permit);
            result
        });
        let result = task.await.map_err(|error| fault(&error))?;
        drop(alive);
        result
    }

    /// Takes `step` with each item and its index: at once if all of it `is_short`, else on a
    /// blocking thread, in turns, until the caller has gone.
    ///
    /// # Errors
    /// [`ServeError::InvalidArgument`] with every violation that a step gives.
    pub async fn each<I, T>(
        self,
        is_short: bool,
        items: Vec<I>,
        step: impl Fn(usize, I) -> Result<T, Violation> + Send + 'static,
    ) -> Result<SmallVec<[T; 1]>, ServeError>
    where
        I: Send + 'static,
        T: Send + 'static,
    {
        let items = items.into_iter().enumerate();
        if is_short {
            return ServeError::collect(items.map(|(index, item)| step(index, item)));
        }
        // Boxed to keep the futures of short requests small.
        Box::pin(self.in_turns(items, step)).await
    }

    async fn in_turns<I, T>(
        self,
        mut items: impl Iterator<Item = (usize, I)> + Send + 'static,
        step: impl Fn(usize, I) -> Result<T, Violation> + Send + 'static,
    ) -> Result<SmallVec<[T; 1]>, ServeError>
    where
        I: 'static,
        T: Send + 'static,
    {
        let mut results = Vec::new();
        let next = move || {
            let Some((index, item)) = items.next() else {
                return Some(std::mem::take(&mut results));
            };
            results.push(step(index, item));
            None
        };
        ServeError::collect(self.steps(next).await?.into_iter())
    }

    /// Takes steps on a blocking thread, in turns, until one gives a result or the caller has gone.
    ///
    /// # Errors
    /// [`ServeError::Internal`] if a step panics.
    pub(crate) async fn steps<T: Send + 'static>(
        self,
        mut step: impl FnMut() -> Option<T> + Send + 'static,
    ) -> Result<T, ServeError> {
        loop {
            let turn = self.run(move |caller| {
                let started = Instant::now();
                let mut result = None;
                while caller.is_waiting() && result.is_none() && started.elapsed() < TURN {
                    result = step();
                }
                Ok((result, step))
            });
            let result;
            (result, step) = turn.await?;
            if let Some(result) = result {
                return Ok(result);
            }
        }
    }

    /// A core's permit, or the model's own, whichever is free first.
    async fn acquire(self) -> Result<OwnedSemaphorePermit, AcquireError> {
        let own = {
            let mut reserved = lock(&self.blocking.reserved);
            let own = reserved.entry(self.model.to_owned());
            Arc::clone(own.or_insert_with(|| Arc::new(Semaphore::new(1))))
        };
        let permits = Arc::clone(&self.blocking.permits);
        tokio::select! {
            biased;
            permit = permits.acquire_owned() => permit,
            permit = own.acquire_owned() => permit,
        }
    }
}

impl Caller {
    /// Whether the caller still waits.
    pub fn is_waiting(&self) -> bool {
        self.0.strong_count() > 0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use futures_util::FutureExt as _;

    use super::*;

    /// Starts work that ends when its sender is dropped; returns once it runs.
    async fn occupy(blocking: &Arc<Blocking>, model: &'static str) -> Sender<()> {
        let (end, ended): (Sender<()>, Receiver<()>) = channel();
        let (started, runs) = tokio::sync::oneshot::channel();
        let blocking = Arc::clone(blocking);
        tokio::spawn(async move {
            let work = move |_: &Caller| {
                let _ = started.send(());
                let _ = ended.recv();
                Ok(())
            };
            blocking.lane(model).run(work).await
        });
        runs.await.unwrap();
        end
    }

    #[tokio::test]
    async fn a_model_does_not_wait_for_the_long_work_of_another() {
        let blocking = Arc::new(Blocking::new(2));
        let mut texts = Vec::new();
        for _ in 0..3 {
            texts.push(occupy(&blocking, "lstm").await);
        }
        // Its own thread is taken, too, so the next text waits.
        let lane = blocking.lane("lstm");
        let mut waits = std::pin::pin!(lane.run(|_| Ok("text")));
        assert!(waits.as_mut().now_or_never().is_none());
        let picture = blocking.lane("cnn").each(false, vec![7], |_, it| Ok(it));
        assert_eq!(picture.await.unwrap()[..], [7]);
        assert!(waits.as_mut().now_or_never().is_none());
        drop(texts);
        assert_eq!(waits.await.unwrap(), "text");
    }

    #[tokio::test]
    async fn requests_of_one_model_take_turns() {
        let blocking = Blocking::new(0);
        let order = Arc::new(Mutex::new(Vec::new()));
        let work = |name: char| {
            let order = Arc::clone(&order);
            let step = move |index, ()| {
                order.lock().unwrap().push((name, index));
                std::thread::sleep(TURN);
                Ok(())
            };
            blocking.lane("lstm").each(false, vec![(); 2], step)
        };
        let (one, other) = tokio::join!(work('a'), work('b'));
        assert_eq!((one.unwrap().len(), other.unwrap().len()), (2, 2));
        let expected = [('a', 0), ('b', 0), ('a', 1), ('b', 1)];
        assert_eq!(*order.lock().unwrap(), expected);
    }
}
