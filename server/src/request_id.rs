//! Names for requests and errors, unique enough to find a log line by.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Sets this process's names apart from another's.
static PROCESS: LazyLock<u32> =
    LazyLock::new(|| RandomState::new().hash_one(std::process::id()) as u32);
static COUNT: AtomicU64 = AtomicU64::new(0);

/// A new name: eight hex digits for the process, then a count.
pub(crate) fn next() -> String {
    format!(
        "{:08x}-{:x}",
        *PROCESS,
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// A caller's own name for its request, if it is fit to be logged: 1 to 128 visible ASCII characters.
pub(crate) fn accept(given: &str) -> Option<&str> {
    let fit = (1..=128).contains(&given.len()) && given.bytes().all(|byte| byte.is_ascii_graphic());
    fit.then_some(given)
}
