//! How many requests of a connection are being answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The requests of one connection whose answers are not sent yet.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    open: AtomicUsize,
    /// Those of them that wait for their callers: to read, or to send the rest of the request.
    waiting: AtomicUsize,
}

/// One request that is being answered, until it is dropped.
#[derive(Debug)]
pub(super) struct Exchange(Arc<Exchanges>);

/// A time in which the server waits for a caller, until it is dropped.
#[derive(Debug)]
pub(super) struct Waiting<'a>(&'a Exchanges);

impl Exchanges {
    /// One more.
    pub(super) fn begin(self: &Arc<Self>) -> Exchange {
        self.open.fetch_add(1, Ordering::Relaxed);
        Exchange(Arc::clone(self))
    }

    /// Whether none is open.
    pub(super) fn are_none(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0
    }

    /// Whether the server works on an answer, rather than that it waits for a caller.
    pub(super) fn is_busy(&self) -> bool {
        self.open.load(Ordering::Relaxed) > self.waiting.load(Ordering::Relaxed)
    }

    /// A caller does not send the rest of its request.
    pub(super) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }
}

impl Exchange {
    /// The caller does not read.
    pub(super) fn unread(&self) -> Waiting<'_> {
        self.0.wait()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
