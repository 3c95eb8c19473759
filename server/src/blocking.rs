//! Long work of requests, such as decoding large pictures, on threads beside the I/O threads.

use std::fmt::Display;
use std::sync::{Arc, Weak};

use smallvec::SmallVec;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::error::{ServeError, Violation};

/// Runs at most one piece of long work per core at once. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Blocking {
    permits: Arc<Semaphore>,
}

/// Tells the work whether anybody still waits for its result.
#[derive(Debug)]
pub struct Caller(Weak<()>);

impl Blocking {
    /// For a process that may use `cores` cores.
    pub fn new(cores: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(cores)),
        }
    }

    /// Runs `work` on a blocking thread.
    ///
    /// # Errors
    /// The work's, and [`ServeError::Internal`] if it panics.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Caller) -> Result<T, ServeError> + Send + 'static,
    ) -> Result<T, ServeError> {
        let fault = |error: &dyn Display| ServeError::fault("blocking work", error);
        let alive = Arc::new(());
        let caller = Caller(Arc::downgrade(&alive));
        let permits = Arc::clone(&self.permits).acquire_owned();
        let permit = permits.await.map_err(|error| fault(&error))?;
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
    /// blocking thread, until the caller has gone.
    ///
    /// # Errors
    /// [`ServeError::InvalidArgument`] with every violation that a step gives.
    pub async fn each<I, T>(
        &self,
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
        let work = self.run(move |caller| {
            let wanted = items.take_while(|_| caller.is_waiting());
            ServeError::collect(wanted.map(|(index, item)| step(index, item)))
        });
        // Boxed to keep the futures of short requests small.
        Box::pin(work).await
    }
}

impl Caller {
    /// Whether the caller still waits.
    pub fn is_waiting(&self) -> bool {
        self.0.strong_count() > 0
    }
}
