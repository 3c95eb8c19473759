//! One budget for the bytes of all requests, from their arrival to their answers.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that requests may hold. Its copies are the same budget. It is never freed, so that a
/// request takes no count of its references, which all threads would share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget(&'static Inner);

#[derive(Debug)]
struct Inner {
    limit: usize,
    used: AtomicUsize,
}

/// The bytes that one message holds, until it is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Budget,
    bytes: usize,
}

/// The budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is {bytes} bytes; all requests hold {used} of at most {limit} bytes (max_bytes_in_flight)"
)]
pub(crate) struct Exceeded {
    pub(crate) bytes: usize,
    pub(crate) used: usize,
    pub(crate) limit: usize,
}

impl Budget {
    /// Of so many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self(Box::leak(Box::new(Inner {
            limit,
            used: AtomicUsize::new(0),
        })))
    }

    /// The bytes that all requests hold now.
    pub(crate) fn used(self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// A message of which nothing has come.
    pub(super) fn begin(self) -> Charge {
        Charge {
            budget: self,
            bytes: 0,
        }
    }
}

impl Charge {
    /// The message holds so many bytes now. What has come is charged, not what a caller promises,
    /// so that promises keep nobody out.
    pub(super) fn set(&mut self, bytes: usize) -> Result<(), Exceeded> {
        let inner = self.budget.0;
        if bytes <= self.bytes {
            inner.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        } else {
            let more = bytes - self.bytes;
            let used = inner.used.fetch_add(more, Ordering::Relaxed);
            if used.saturating_add(more) > inner.limit {
                inner.used.fetch_sub(more, Ordering::Relaxed);
                return Err(self.exceeded(bytes));
            }
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Refuses a message that has no room, before all of it has come.
    pub(super) fn check(&self, message: usize) -> Result<(), Exceeded> {
        let more = message.saturating_sub(self.bytes);
        if self.budget.used().saturating_add(more) > self.budget.0.limit {
            return Err(self.exceeded(message));
        }
        Ok(())
    }

    /// Parts with all of its bytes.
    pub(super) fn take(&mut self) -> Self {
        self.split(self.bytes)
    }

    /// Parts with `bytes` of its bytes.
    pub(super) fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self {
            budget: self.budget,
            bytes,
        }
    }

    fn exceeded(&self, bytes: usize) -> Exceeded {
        Exceeded {
            bytes,
            used: self.budget.used(),
            limit: self.budget.0.limit,
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_come_is_charged_until_it_is_dropped() {
        let budget = Budget::new(100);
        let (mut one, mut other) = (budget.begin(), budget.begin());
        one.set(60).unwrap();
        assert_eq!(other.check(40), Ok(()));
        let exceeded = Exceeded {
            bytes: 41,
            used: 60,
            limit: 100,
        };
        assert_eq!(other.check(41), Err(exceeded));
        assert_eq!(other.set(41), Err(exceeded));
        other.set(40).unwrap();
        let part = one.split(50);
        drop(one);
        assert_eq!(budget.used(), 90);
        other.set(10).unwrap();
        drop(part);
        assert_eq!(budget.used(), 10);
        drop(other);
        assert_eq!(budget.used(), 0);
    }
}
