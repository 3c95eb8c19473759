//! Every way in which a request can fail. `grpc/status.rs` maps them to gRPC codes.

mod caller;

pub use caller::{CallerLimit, PermissionDenied, Unauthenticated};

use std::sync::Arc;
use std::time::Duration;

use crate::batching::{Failure, QueueFull};

/// The most violations that an error lists.
const MAX_VIOLATIONS: usize = 16;
/// The most bytes that they have together, so that they fit into the trailers that all clients
/// take; the first is always listed.
const MAX_VIOLATION_BYTES: usize = 1536;

/// When to ask again for a version that has retired: the repository knows another already, if there
/// is one.
const RETIRED_RETRY: Duration = Duration::from_millis(100);

/// Why a request got no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The request itself is wrong; asking again will not help.
    #[error("{}", join(violations))]
    InvalidArgument {
        /// What is wrong, field by field; never empty.
        violations: Vec<Violation>,
    },
    /// There is no such model or version.
    #[error("{0}")]
    ModelNotFound(String),
    /// The model does something else.
    #[error("model `{model}` does {does}, this call needs {needs}")]
    WrongTask {
        /// The model asked for.
        model: String,
        /// Its task.
        does: String,
        /// The call's task.
        needs: String,
    },
    /// The classifier cannot say which digit an image shows.
    #[error(
        "model `{model}` cannot name digits: its labels are {labels}; exactly 0 to 9 are needed"
    )]
    NoDigits {
        /// The model asked for.
        model: String,
        /// Its labels.
        labels: String,
    },
    /// The filter has kept too few of the candidates that may be drawn.
    #[error(
        "found {found} of {wanted} images of {filter} in {candidates} candidates, as many as may be \
         drawn for them (max_candidates_per_image); another seed or a lower min_confidence may give more"
    )]
    TooFewFound {
        /// Images kept.
        found: u64,
        /// Images asked for.
        wanted: u64,
        /// Candidates drawn.
        candidates: u64,
        /// What an image has to be.
        filter: String,
    },
    /// Too much waits already.
    #[error("model `{model}` is busy: {full}")]
    QueueFull {
        /// The model.
        model: Arc<str>,
        /// Which bound of its queue the request met.
        full: QueueFull,
        /// When it may have room.
        retry_after: Duration,
    },
    /// The caller is not known.
    #[error(transparent)]
    Unauthenticated(#[from] Unauthenticated),
    /// The caller is known and may not do this.
    #[error(transparent)]
    PermissionDenied(#[from] PermissionDenied),
    /// The caller asks for more than it may have at once.
    #[error("caller `{caller}` {limit}")]
    CallerLimit {
        /// Its name.
        caller: Arc<str>,
        /// Which of its limits.
        limit: CallerLimit,
        /// When it may ask again.
        retry_after: Duration,
    },
    /// The caller asks for more than there is.
    #[error("{reason}")]
    Exhausted {
        /// What came and what is allowed.
        reason: String,
        /// When asking again may help; `None`: not with the same request.
        retry_after: Option<Duration>,
    },
    /// The request breaks gRPC's protocol where its specification asks for INTERNAL.
    #[error("{0}")]
    Protocol(String),
    /// There is no such call.
    #[error("{0}")]
    Unimplemented(String),
    /// Not now: the server is stopping, or the model is still loading or no longer served.
    #[error("{reason}")]
    Unavailable {
        /// Why.
        reason: String,
        /// When asking again may help; `None`: not without an operator.
        retry_after: Option<Duration>,
    },
    /// The caller's deadline passed first.
    #[error("the deadline passed {stage}")]
    DeadlineExceeded {
        /// Where the request was: "in the queue or while running", ...
        stage: &'static str,
    },
    /// A fault of the server. The log has the details under the same id.
    #[error("internal error {id}")]
    Internal {
        /// Names the log line.
        id: String,
    },
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {description}")]
pub struct Violation {
    /// Path of the field, such as `images[3].encoded`.
    pub field: String,
    /// What came and what is allowed.
    pub description: String,
}

impl ServeError {
    /// An [`ServeError::InvalidArgument`] about one field.
    pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::InvalidArgument {
            violations: vec![Violation::new(field, description)],
        }
    }

    /// Checks that the list `field` has between 1 and `limit` elements.
    ///
    /// # Errors
    /// [`ServeError::InvalidArgument`].
    pub fn check_count(field: &str, count: usize, limit: usize) -> Result<(), Self> {
        if (1..=limit).contains(&count) {
            return Ok(());
        }
        let description = format!("holds {count} {field}; 1 to {limit} are allowed");
        Err(Self::invalid(field, description))
    }

    /// All values, or all violations.
    ///
    /// # Errors
    /// [`ServeError::InvalidArgument`] with each violation.
    pub fn collect<T, C: FromIterator<T>>(
        results: impl Iterator<Item = Result<T, Violation>>,
    ) -> Result<C, Self> {
        let mut violations = Vec::new();
        let values = results.filter_map(|result| match result {
            Ok(value) => Some(value),
            Err(violation) => {
                violations.push(violation);
                None
            }
        });
        let values = values.collect();
        Self::check(violations)?;
        Ok(values)
    }

    /// Checks that there is no violation.
    ///
    /// # Errors
    /// [`ServeError::InvalidArgument`] with the first few. It counts the rest, so that the answer
    /// stays small.
    pub fn check(mut violations: Vec<Violation>) -> Result<(), Self> {
        if violations.is_empty() {
            return Ok(());
        }
        let mut bytes = 0;
        let fits = |it: &&Violation| {
            bytes += it.field.len() + it.description.len();
            bytes <= MAX_VIOLATION_BYTES
        };
        let first = violations.iter().take(MAX_VIOLATIONS);
        let listed = first.take_while(fits).count().max(1);
        let more = violations.len() - listed;
        if more > 0 {
            violations.truncate(listed);
            let description = format!("has {more} more violations, which are not listed");
            violations.push(Violation::new("request", description));
        }
        Err(Self::InvalidArgument { violations })
    }

    /// What a failure of the batching core of `model` means to the caller. Logs faults of the
    /// server.
    pub fn from_failure(model: &Arc<str>, failure: Failure) -> Self {
        match failure {
            Failure::QueueFull { full, retry_after } => Self::QueueFull {
                model: Arc::clone(model),
                full,
                retry_after,
            },
            Failure::Deadline => Self::DeadlineExceeded {
                stage: "in the queue",
            },
            Failure::Stopped => Self::draining(),
            Failure::Retired => Self::Unavailable {
                reason: format!("this version of model `{model}` is no longer served"),
                retry_after: Some(RETIRED_RETRY),
            },
            Failure::Backend(message) => {
                let id = crate::request_id::next();
                tracing::error!(error_id = %id, model = &**model, error = %message, "a batch failed");
                Self::Internal { id }
            }
        }
    }

    /// When asking again may help, if waiting can.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::QueueFull { retry_after, .. } | Self::CallerLimit { retry_after, .. } => {
                Some(*retry_after)
            }
            Self::Unavailable { retry_after, .. } | Self::Exhausted { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }

    /// A fault of the server: `what` failed with `error`. Logs it.
    pub fn fault(what: &str, error: &dyn std::fmt::Display) -> Self {
        let id = crate::request_id::next();
        tracing::error!(error_id = %id, %error, "{what} failed");
        Self::Internal { id }
    }

    /// The server is stopping.
    pub fn draining() -> Self {
        Self::Unavailable {
            reason: "the server is shutting down".to_owned(),
            retry_after: Some(Duration::from_secs(1)),
        }
    }
}

impl Violation {
    /// What is wrong with `field`.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            description: description.into(),
        }
    }
}

fn join(violations: &[Violation]) -> String {
    let lines: Vec<_> = violations.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retired_model_is_told_apart_from_a_shutdown() {
        let model: Arc<str> = "cnn".into();
        let retired = "this version of model `cnn` is no longer served";
        for (failure, reason) in [
            (Failure::Retired, retired),
            (Failure::Stopped, "the server is shutting down"),
        ] {
            let error = ServeError::from_failure(&model, failure);
            assert_eq!(error.to_string(), reason);
            assert!(error.retry_after().is_some());
        }
    }

    #[test]
    fn of_many_violations_the_first_are_told_and_the_rest_counted() {
        let wrong = |count: usize| {
            let violations =
                (0..count).map(|index| Violation::new(format!("images[{index}]"), "is empty"));
            let error = ServeError::check(violations.collect()).unwrap_err();
            error.to_string()
        };
        assert_eq!(wrong(1), "images[0]: is empty");
        assert!(wrong(MAX_VIOLATIONS).ends_with("images[15]: is empty"));
        assert!(wrong(100_000).ends_with(
            "images[15]: is empty; request: has 99984 more violations, which are not listed"
        ));
        let long = Violation::new("images[0]", "x".repeat(MAX_VIOLATION_BYTES));
        let error = ServeError::check(vec![long.clone(), long]).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("has 1 more violations, which are not listed")
        );
    }
}
