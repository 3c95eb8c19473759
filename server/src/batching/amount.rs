//! How much waits: of a queue, and of one request in it.

use std::ops::{AddAssign, SubAssign};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::BatchRow;

/// How many rows, and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

/// An [`Amount`] that is written only under the queue's lock.
pub(super) struct Waiting {
    rows: AtomicUsize,
    bytes: AtomicUsize,
}

impl Amount {
    pub(super) fn of(rows: &[impl BatchRow]) -> Self {
        Self {
            rows: rows.len(),
            bytes: rows.iter().map(BatchRow::bytes).sum(),
        }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, more: Self) {
        self.rows += more.rows;
        self.bytes += more.bytes;
    }
}

impl SubAssign for Amount {
    fn sub_assign(&mut self, less: Self) {
        self.rows -= less.rows;
        self.bytes -= less.bytes;
    }
}

impl Waiting {
    pub(super) fn of(Amount { rows, bytes }: Amount) -> Self {
        Self {
            rows: AtomicUsize::new(rows),
            bytes: AtomicUsize::new(bytes),
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows.load(Ordering::Relaxed)
    }

    pub(super) fn amount(&self) -> Amount {
        Amount {
            rows: self.rows(),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    /// Leaves nothing.
    pub(super) fn take(&self) -> Amount {
        let amount = self.amount();
        self.subtract(amount);
        amount
    }

    pub(super) fn subtract(&self, less: Amount) {
        let mut amount = self.amount();
        amount -= less;
        self.rows.store(amount.rows, Ordering::Relaxed);
        self.bytes.store(amount.bytes, Ordering::Relaxed);
    }
}
