//! The headers of a request that gRPC over HTTP/2 gives a meaning to.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use tokio::time::Instant;

use crate::clip::clip;

/// The largest metadata of a request, in bytes as HTTP/2 counts them.
pub(crate) const MAX_METADATA: usize = 16 << 10;
/// What HTTP/2 counts for a field beside its name and value (RFC 9113, section 6.5.2).
const FIELD: usize = 32;

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// A header with a value that is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub(crate) struct BadHeader {
    /// Its name.
    pub(crate) name: &'static str,
    /// What came and what is allowed.
    pub(crate) problem: String,
    /// The status of the answer in HTTP. A client of another protocol must not take it for a
    /// success (gRPC over HTTP/2, "Requests").
    pub(crate) http: StatusCode,
}

/// The deadline of a request that has arrived at `started`; `None`: its caller waits for ever.
///
/// # Errors
/// The request is of another protocol, or its `grpc-timeout` cannot be read.
pub(crate) fn deadline<T>(
    request: &Request<T>,
    started: Instant,
) -> Result<Option<Instant>, BadHeader> {
    let (method, headers) = (request.method(), request.headers());
    if method != Method::POST {
        return Err(BadHeader {
            name: ":method",
            problem: format!("is `{}`; POST is needed", clip(method.as_str())),
            http: StatusCode::METHOD_NOT_ALLOWED,
        });
    }
    if !is_grpc(headers) {
        let given = headers.get(header::CONTENT_TYPE);
        let given = given.map_or(&b""[..], HeaderValue::as_bytes).escape_ascii();
        return Err(BadHeader {
            name: "content-type",
            problem: format!(
                "is `{}`; application/grpc is needed",
                clip(&given.to_string())
            ),
            http: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        });
    }
    // An overflowing timeout means no deadline.
    Ok(timeout(headers)?.and_then(|timeout| started.checked_add(timeout)))
}

/// Whether this is a request of gRPC, by its content type: `application/grpc`, then at most
/// `+proto`, the only encoding of messages here, and parameters. gRPC-Web is another protocol.
fn is_grpc(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE);
    let rest = given.and_then(|value| value.as_bytes().strip_prefix(b"application/grpc"));
    let rest = rest.map(|rest| rest.strip_prefix(b"+proto").unwrap_or(rest));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b';' | b' ')))
}

/// The size of a request's metadata, in bytes as HTTP/2 counts them.
pub(crate) fn metadata_size(headers: &HeaderMap) -> usize {
    let fields = headers.iter();
    fields
        .map(|(name, value)| name.as_str().len() + value.len() + FIELD)
        .sum()
}

/// The `grpc-timeout` header (gRPC over HTTP/2, "Requests"): at most 8 digits and a unit.
fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, BadHeader> {
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
    parse().map(Some).ok_or_else(|| BadHeader {
        name: "grpc-timeout",
        problem: format!(
            "is {}; 1 to 8 digits and one of H, M, S, m, u, n are allowed",
            clip(&format!("{value:?}"))
        ),
        http: StatusCode::OK,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Duration>, BadHeader> {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", text.parse().unwrap());
        timeout(&headers)
    }

    #[test]
    fn other_protocols_of_grpcs_name_are_told_apart() {
        let is_grpc = |content_type: &'static str| {
            let content_type = HeaderValue::from_static(content_type);
            is_grpc(&HeaderMap::from_iter([(
                header::CONTENT_TYPE,
                content_type,
            )]))
        };
        for ours in ["", "+proto", ";charset=utf-8", "+proto; charset=utf-8"] {
            let ours = format!("application/grpc{ours}");
            assert!(is_grpc(ours.leak()));
        }
        for other in [
            "-web",
            "-web+proto",
            "-web-text",
            "foo",
            "+json",
            "+protobuf",
        ] {
            let other = format!("application/grpc{other}");
            assert!(!is_grpc(other.leak()));
        }
        assert!(!is_grpc("text/html"));
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
