//! Files of callers from a fuzzer.

use std::sync::LazyLock;

use super::file::Table;
use crate::metrics::Metrics;

/// Callers may have any names. They are counted with metrics that are made anew now and then.
static METRICS: LazyLock<Metrics> = LazyLock::new(|| Metrics::new("fuzz"));

/// Reads a file.
pub fn tokens(content: &[u8]) {
    // Why it is refused is of no interest.
    let _ = Table::parse(content, &Table::default(), &METRICS);
}
