//! What a handler knows of its call, and what it tells of it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::time::Instant;

use crate::error::ServeError;

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// One call. Its clones are the same call.
#[derive(Debug, Clone, Default)]
pub(super) struct Call {
    /// When the caller stops waiting, from `grpc-timeout`.
    pub(super) deadline: Option<Instant>,
    /// The model that the request reached.
    model: Arc<OnceLock<Arc<str>>>,
}

// === impl Call ===

impl Call {
    /// A call whose caller stops waiting then.
    pub(super) fn until(deadline: Option<Instant>) -> Self {
        Self {
            deadline,
            model: Arc::default(),
        }
    }

    /// The call that began at `started` with these headers.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: its `grpc-timeout` is none.
    pub(super) fn begin(headers: &HeaderMap, started: Instant) -> Result<Self, ServeError> {
        // A time that the clock cannot count to is none.
        let deadline = timeout(headers)?.and_then(|timeout| started.checked_add(timeout));
        Ok(Self::until(deadline))
    }

    /// The call that this request belongs to.
    pub(super) fn of<T>(request: &tonic::Request<T>) -> Self {
        request
            .extensions()
            .get::<Self>()
            .cloned()
            .unwrap_or_default()
    }

    /// The request has reached this model.
    pub(super) fn reached(&self, model: &Arc<str>) {
        let _ = self.model.set(Arc::clone(model));
    }

    /// The model that the request reached; empty: none.
    pub(super) fn model(&self) -> Arc<str> {
        self.model.get().cloned().unwrap_or_default()
    }
}

/// Refuses requests of other protocols.
pub(super) fn check_media_type(headers: &HeaderMap) -> Result<(), ServeError> {
    let given = headers.get(header::CONTENT_TYPE);
    if given.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc")) {
        return Ok(());
    }
    let given = given.map_or(&b""[..], HeaderValue::as_bytes);
    let words = format!("is `{}`; application/grpc is needed", given.escape_ascii());
    Err(ServeError::invalid("content-type", words))
}

/// The `grpc-timeout` header (gRPC over HTTP/2, "Requests"): at most 8 digits and a unit.
fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, ServeError> {
    let Some(value) = headers.get(GRPC_TIMEOUT) else {
        return Ok(None);
    };
    let parse = || {
        let text = value.to_str().ok()?;
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        if digits.is_empty()
            || digits.len() > 8
            || !digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            return None;
        }
        let amount: u64 = digits.parse().ok()?;
        Some(match unit {
            "H" => Duration::from_secs(amount * 3600),
            "M" => Duration::from_secs(amount * 60),
            "S" => Duration::from_secs(amount),
            "m" => Duration::from_millis(amount),
            "u" => Duration::from_micros(amount),
            "n" => Duration::from_nanos(amount),
            _ => return None,
        })
    };
    parse().map(Some).ok_or_else(|| {
        let words = format!("is {value:?}; 1 to 8 digits and one of H, M, S, m, u, n are allowed");
        ServeError::invalid("grpc-timeout", words)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Duration>, ServeError> {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", text.parse().unwrap());
        timeout(&headers)
    }

    #[test]
    fn timeouts() {
        assert_eq!(timeout(&HeaderMap::new()), Ok(None));
        for (text, expected) in [
            ("2H", Duration::from_hours(2)),
            ("3M", Duration::from_mins(3)),
            ("99999999S", Duration::from_secs(99_999_999)),
            ("250m", Duration::from_millis(250)),
            ("7u", Duration::from_micros(7)),
            ("0n", Duration::ZERO),
        ] {
            assert_eq!(parse(text), Ok(Some(expected)), "{text}");
        }
        for text in ["", "S", "5", "5s", "-1S", "123456789S", "1.5S", "1 S"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
