//! Value parsers of options. The configuration uses them, and the tasks for their limits.

use std::error::Error;
use std::time::Duration;

/// What came and what is allowed, of a value that has the right type.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Problem(pub(crate) String);

/// A number above 0.
pub(crate) fn at_least_one(text: &str) -> Result<usize, Box<dyn Error + Send + Sync>> {
    match text.parse()? {
        0 => Err(Problem("is 0; at least 1 is needed".to_owned()).into()),
        number => Ok(number),
    }
}

/// A time with its unit.
pub(crate) fn time(text: &str) -> Result<Duration, Problem> {
    let problem = || format!("`{text}` is no time; write 500us, 5ms, 30s or 2min");
    humantime::parse_duration(text).map_err(|_| Problem(problem()))
}
