//! The SDK's one error: what kind of failure, of which call, after how many attempts.

use std::{error::Error as StdError, fmt, time::Duration};

/// A failed call.
///
/// Its text names the call, the kind of failure and the server's own words; [`StdError::source`]
/// leads to what lay below, where something did.
#[derive(Debug)]
pub struct Error {
    rpc: &'static str,
    failure: Box<Failure>,
    attempts: u32,
    elapsed: Duration,
}

/// What kind of failure a call met.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server refused the request's content (`INVALID_ARGUMENT`).
    InvalidArgument {
        /// Which fields were wrong, and what is allowed there; empty when the server named none.
        violations: Vec<FieldViolation>,
    },
    /// No such model, version or health service (`NOT_FOUND`).
    NotFound,
    /// The model serves another task (`FAILED_PRECONDITION`).
    FailedPrecondition,
    /// Too few of the images that the server may draw were of the digit, or sure enough
    /// (`FAILED_PRECONDITION` for the reason `TOO_FEW_FOUND`).
    TooFewFound {
        /// Images that were.
        found: u64,
        /// Images asked for.
        wanted: u64,
        /// Images drawn.
        candidates: u64,
    },
    /// The server's queue is full (`RESOURCE_EXHAUSTED`); [`Error::retry_delay`] says when to come
    /// back.
    Overloaded,
    /// The server drains, or the model is still loading (`UNAVAILABLE`).
    Unavailable,
    /// The client's timeout passed, or the server says that it did (`DEADLINE_EXCEEDED`, and
    /// `CANCELLED` with "Timeout expired", which is how a tonic server says it).
    DeadlineExceeded,
    /// The server, or a proxy, gave the call up (`CANCELLED`, `ABORTED`).
    Cancelled,
    /// The request or its answer is larger than one side takes (`OUT_OF_RANGE`).
    MessageTooLarge,
    /// The server, or a proxy in front of it, does not know the caller: there is no token, or it is
    /// wrong or has expired (`UNAUTHENTICATED`).
    Unauthenticated,
    /// The caller is known and not allowed to make this call (`PERMISSION_DENIED`).
    PermissionDenied,
    /// The server does not know the call (`UNIMPLEMENTED`): another or an older server.
    Unimplemented,
    /// The server failed (`INTERNAL`, `DATA_LOSS`).
    Internal {
        /// The id that the server's log carries too, when it gave one.
        id: Option<String>,
    },
    /// The connection could not be made, or was lost during the call.
    Connect,
    /// The answer makes no sense to this SDK (`UNKNOWN`, other codes, or a reply against the API's
    /// promises).
    Protocol,
    /// The client's own settings are wrong, such as its server address.
    Config,
}

/// One wrong field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldViolation {
    /// The field's path in the request, such as `images[2].raw.data`.
    pub field: String,
    /// What came and what is allowed.
    pub description: String,
}

/// A failure without its call: what one attempt gives.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
    pub(crate) retry_delay: Option<Duration>,
    /// The server's id of the call, once it has answered.
    pub(crate) request_id: Option<String>,
    pub(crate) source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(
        rpc: &'static str,
        failure: Failure,
        attempts: u32,
        elapsed: Duration,
    ) -> Self {
        Self {
            rpc,
            failure: failure.into(),
            attempts,
            elapsed,
        }
    }

    /// A client's own settings are wrong.
    pub(crate) fn config(reason: impl Into<String>) -> Self {
        let failure = Failure::new(ErrorKind::Config, reason);
        Self::new("connect", failure, 0, Duration::ZERO)
    }

    /// Names the call, if the server may have seen it and has not named it otherwise.
    pub(crate) fn of_request(mut self, id: &str) -> Self {
        if self.attempts > 0 && self.failure.kind != ErrorKind::Connect {
            self.failure.request_id.get_or_insert_with(|| id.to_owned());
        }
        self
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> &ErrorKind {
        &self.failure.kind
    }

    /// The server's words, or the SDK's own where no server spoke.
    pub fn message(&self) -> &str {
        &self.failure.message
    }

    /// The call that failed, such as `Classify`.
    pub fn rpc(&self) -> &'static str {
        self.rpc
    }

    /// The call's id (`x-request-id`), which the server's log has too: the server's own, or the one
    /// that was sent where no answer came. `None` if nothing was sent, or the connection failed.
    pub fn request_id(&self) -> Option<&str> {
        self.failure.request_id.as_deref()
    }

    /// How often the call was tried; 0 when it failed before anything was sent.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How long the call took, pauses included.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The wrong fields of a request refused as [`ErrorKind::InvalidArgument`]; empty for other
    /// kinds.
    pub fn field_violations(&self) -> &[FieldViolation] {
        match self.kind() {
            ErrorKind::InvalidArgument { violations } => violations,
            _ => &[],
        }
    }

    /// How long the server asked to be left alone (`RetryInfo`), if it did.
    pub fn retry_delay(&self) -> Option<Duration> {
        self.failure.retry_delay
    }

    /// Whether the same call may succeed later; [`crate::RetryPolicy`] lists when. The SDK has then
    /// already tried as often as its policy and timeout allow.
    pub fn is_retryable(&self) -> bool {
        self.failure.is_retryable()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rpc, self.failure)?;
        if self.attempts > 1 {
            let milliseconds = self.elapsed.as_millis();
            write!(f, " ({} attempts in {milliseconds} ms)", self.attempts)?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.failure.source()
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidArgument { .. } => "invalid argument",
            Self::NotFound => "not found",
            Self::FailedPrecondition => "failed precondition",
            Self::TooFewFound { .. } => "too few found",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::DeadlineExceeded => "deadline exceeded",
            Self::Cancelled => "cancelled",
            Self::MessageTooLarge => "message too large",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission denied",
            Self::Unimplemented => "unimplemented",
            Self::Internal { .. } => "internal server error",
            Self::Connect => "connection failed",
            Self::Protocol => "protocol error",
            Self::Config => "invalid configuration",
        })
    }
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_delay: None,
            request_id: None,
            source: None,
        }
    }

    /// A reply that breaks the API's promises.
    pub(crate) fn protocol(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Protocol, message)
    }

    /// A request that is not sent.
    pub(crate) fn too_large(size: usize, limit: usize) -> Self {
        let message = format!("the request has {size} bytes, max_message_size allows {limit}");
        Self::new(ErrorKind::MessageTooLarge, message)
    }

    pub(crate) fn caused_by(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source = Some(source.into());
        Self { source, ..self }
    }

    /// Whether the same call may succeed later.
    pub(crate) fn is_retryable(&self) -> bool {
        match self.kind {
            ErrorKind::Unavailable | ErrorKind::Connect => true,
            ErrorKind::Overloaded => self.retry_delay.is_some(),
            _ => false,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        match &self.kind {
            ErrorKind::Internal { id: Some(id) } if !self.message.contains(id) => {
                write!(f, " (id {id})")
            }
            _ => Ok(()),
        }
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.source.as_deref()?)
    }
}
