//! Ids of requests and errors, unique enough to find a log line.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Distinguishes the ids of this process.
static PROCESS: LazyLock<u32> =
    LazyLock::new(|| RandomState::new().hash_one(std::process::id()) as u32);
static COUNT: AtomicU64 = AtomicU64::new(0);

/// A new id: eight hex digits for the process, then a counter.
pub(crate) fn next() -> String {
    format!(
        "{:08x}-{:x}",
        *PROCESS,
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// A caller's own id, if it is safe to log: 1 to 128 visible ASCII characters.
pub(crate) fn accept(given: &str) -> Option<&str> {
    let fit = (1..=128).contains(&given.len()) && given.bytes().all(|byte| byte.is_ascii_graphic());
    fit.then_some(given)
}
