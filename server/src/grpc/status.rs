//! The table from [`ServeError`] to gRPC codes and their machine-readable details.

use std::collections::HashMap;

use http::HeaderMap;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::clip::{clip, clip_encoded, clip_to};
use crate::error::ServeError;
use crate::transport::{Encoding, NotOffered};

// gRPC's C++ core, on which Python's, Ruby's and PHP's clients stand, may drop a status whose
// trailers have more than 8 KiB, and then says RESOURCE_EXHAUSTED. The details hold the message,
// too, and are written in base64.
/// The most bytes of a message in its header.
const MESSAGE: usize = 1536;
/// The most characters of the description of a violation.
const DESCRIPTION: usize = 512;
/// Names the service in `google.rpc.ErrorInfo`.
const DOMAIN: &str = "quintet.v1";

/// An error as the caller sees it.
pub(super) fn status(error: &ServeError) -> Status {
    let mut details = ErrorDetails::new();
    let code = match error {
        ServeError::InvalidArgument { violations } => {
            for violation in violations {
                let description = clip_to(DESCRIPTION, &violation.description);
                details.add_bad_request_violation(&violation.field, description);
            }
            Code::InvalidArgument
        }
        ServeError::ModelNotFound(_) => Code::NotFound,
        ServeError::WrongTask { .. } | ServeError::NoDigits { .. } => Code::FailedPrecondition,
        ServeError::TooFewFound {
            found,
            wanted,
            candidates,
            ..
        } => {
            let counts = [
                ("found", found),
                ("wanted", wanted),
                ("candidates", candidates),
            ];
            let counts = counts.map(|(name, count)| metadata(name, &count.to_string()));
            details.set_error_info("TOO_FEW_FOUND", DOMAIN, counts);
            Code::FailedPrecondition
        }
        ServeError::Unauthenticated(why) => {
            details.set_error_info(why.reason(), DOMAIN, []);
            Code::Unauthenticated
        }
        ServeError::PermissionDenied(why) => {
            let caller = why.caller().map(|caller| metadata("caller", caller));
            let facts: HashMap<_, _> = caller.into_iter().collect();
            details.set_error_info(why.reason(), DOMAIN, facts);
            Code::PermissionDenied
        }
        ServeError::CallerLimit { caller, limit, .. } => {
            details.set_error_info(limit.reason(), DOMAIN, [metadata("caller", caller)]);
            Code::ResourceExhausted
        }
        ServeError::QueueFull { .. } | ServeError::Exhausted { .. } => Code::ResourceExhausted,
        ServeError::Unavailable { .. } => Code::Unavailable,
        ServeError::Unimplemented(_) => Code::Unimplemented,
        ServeError::DeadlineExceeded { .. } => Code::DeadlineExceeded,
        ServeError::Protocol(_) => Code::Internal,
        ServeError::Internal { id } => {
            details.set_error_info("INTERNAL", DOMAIN, [metadata("error_id", id)]);
            Code::Internal
        }
    };
    if let Some(retry_after) = error.retry_after() {
        details.set_retry_info(Some(retry_after));
    }
    let message = error.to_string();
    Status::with_error_details(code, clip_encoded(MESSAGE, &message), details)
}

fn metadata(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

/// The code of an error, as google.rpc.Code numbers it, for errors that messages carry.
pub(crate) fn code_number(error: &ServeError) -> i32 {
    status(error).code().into()
}

/// A status as the end of a stream of messages.
pub(super) fn trailers(status: &Status) -> Result<HeaderMap, Status> {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers)?;
    Ok(trailers)
}

/// A compression that is not offered: UNIMPLEMENTED with the encodings that are, as gRPC's
/// "Compression" specification asks.
pub(super) fn not_offered(NotOffered(encoding): NotOffered<'_>) -> Status {
    let encoding = encoding.escape_ascii().to_string();
    let (encoding, offered) = (clip(&encoding), Encoding::OFFERED);
    let words = format!("grpc-encoding: is `{encoding}`; the server takes {offered}");
    let mut status = Status::unimplemented(words);
    let accepted = MetadataValue::from_static(offered);
    status
        .metadata_mut()
        .insert("grpc-accept-encoding", accepted);
    status
}

/// How a stream ends whose messages were all sent.
pub(super) fn ok() -> Status {
    Status::new(Code::Ok, "")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Write as _;
    use std::time::Duration;

    use expect_test::expect;
    use quintet_proto::code_name;

    use super::*;
    use crate::batching::QueueFull;
    use crate::error::{CallerLimit, PermissionDenied, Unauthenticated, Violation};

    /// A line for each of these errors.
    fn table(errors: impl IntoIterator<Item = ServeError>) -> String {
        let mut table = String::new();
        for error in errors {
            let status = status(&error);
            let details = status.get_error_details();
            let fields = details
                .bad_request()
                .map(|bad| bad.field_violations[0].field.clone());
            let retry = details.retry_info().and_then(|info| info.retry_delay);
            let info = details.error_info().map(|info| {
                let facts: BTreeMap<_, _> = info.metadata.iter().collect();
                format!("{} {facts:?}", info.reason)
            });
            let code = code_name(status.code());
            writeln!(
                table,
                "{code}: {} {fields:?} {retry:?} {info:?}",
                status.message()
            )
            .unwrap();
        }
        table
    }

    #[test]
    fn the_table() {
        let second = Duration::from_secs(1);
        let table = table([
            ServeError::invalid(
                "images[3].encoded",
                "is 0 bytes that are neither PNG, JPEG nor WebP",
            ),
            ServeError::ModelNotFound("there is no model `vgg`; there is cnn, mlp".into()),
            ServeError::WrongTask {
                model: "lstm".into(),
                does: "text".into(),
                needs: "images".into(),
            },
            ServeError::NoDigits {
                model: "pets".into(),
                labels: "cat, dog".into(),
            },
            ServeError::TooFewFound {
                found: 3,
                wanted: 20,
                candidates: 5120,
                filter: "a 7 with a confidence of at least 0.9".into(),
            },
            ServeError::QueueFull {
                model: "cnn".into(),
                full: QueueFull {
                    unit: "rows",
                    depth: 512,
                    limit: 512,
                    more: 1,
                },
                retry_after: second,
            },
            ServeError::Exhausted {
                reason: "metadata: is 20000 bytes; at most 16384 are allowed".into(),
                retry_after: None,
            },
            ServeError::Protocol("request: its compression flag is 1".into()),
            ServeError::Unimplemented("there is no service `x`; there is y".into()),
            ServeError::Unavailable {
                reason: "loading".into(),
                retry_after: Some(second),
            },
            ServeError::Unavailable {
                reason: "broken".into(),
                retry_after: None,
            },
            ServeError::DeadlineExceeded {
                stage: "in the queue",
            },
            ServeError::Internal { id: "1f-0".into() },
        ]);
        expect![[r#"
            INVALID_ARGUMENT: images[3].encoded: is 0 bytes that are neither PNG, JPEG nor WebP Some("images[3].encoded") None None
            NOT_FOUND: there is no model `vgg`; there is cnn, mlp None None None
            FAILED_PRECONDITION: model `lstm` does text, this call needs images None None None
            FAILED_PRECONDITION: model `pets` cannot name digits: its labels are cat, dog; exactly 0 to 9 are needed None None None
            FAILED_PRECONDITION: found 3 of 20 images of a 7 with a confidence of at least 0.9 in 5120 candidates, as many as may be drawn for them (max_candidates_per_image); another seed or a lower min_confidence may give more None None Some("TOO_FEW_FOUND {\"candidates\": \"5120\", \"found\": \"3\", \"wanted\": \"20\"}")
            RESOURCE_EXHAUSTED: model `cnn` is busy: the queue holds 512 of at most 512 rows, 1 more do not fit None Some(1s) None
            RESOURCE_EXHAUSTED: metadata: is 20000 bytes; at most 16384 are allowed None None None
            INTERNAL: request: its compression flag is 1 None None None
            UNIMPLEMENTED: there is no service `x`; there is y None None None
            UNAVAILABLE: loading None Some(1s) None
            UNAVAILABLE: broken None None None
            DEADLINE_EXCEEDED: the deadline passed in the queue None None None
            INTERNAL: internal error 1f-0 None None Some("INTERNAL {\"error_id\": \"1f-0\"}")
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn the_trailers_of_every_error_are_small() {
        let labels: Vec<String> = (0..1000).map(|it| format!("class {it} 你好")).collect();
        let violation = |at: usize, text: &str| Violation::new(format!("images[{at}]"), text);
        let many = (0..1000).map(|at| violation(at, "\u{1f600} is \"no\" <picture>? "));
        for error in [
            ServeError::NoDigits {
                model: "imagenet".to_owned(),
                labels: labels.join(", "),
            },
            ServeError::check(many.collect()).unwrap_err(),
            ServeError::check(vec![violation(0, &"\u{1f600} ".repeat(9999))]).unwrap_err(),
        ] {
            let trailers = trailers(&status(&error)).unwrap();
            let size = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
                name.as_str().len() + value.len() + 32
            };
            let size: usize = trailers.iter().map(size).sum();
            assert!(size < 6400, "{size}: {error}");
        }
    }

    #[test]
    fn what_callers_are_told() {
        let second = Duration::from_secs(1);
        let table = table([
            Unauthenticated::NoToken.into(),
            Unauthenticated::NoBearer.into(),
            Unauthenticated::UnknownToken.into(),
            Unauthenticated::Expired.into(),
            Unauthenticated::UnknownCertificate("spiffe://x".into()).into(),
            Unauthenticated::Twice.into(),
            Unauthenticated::Removed("ci".into()).into(),
            PermissionDenied::Scope {
                caller: "ci".into(),
                scope: "control",
            }
            .into(),
            PermissionDenied::Model {
                caller: "ci".into(),
                model: "gan".into(),
                allowed: "cnn, mlp".into(),
            }
            .into(),
            ServeError::CallerLimit {
                caller: "ci".into(),
                limit: CallerLimit::Rate { rate: 100.0 },
                retry_after: second,
            },
            ServeError::CallerLimit {
                caller: "ci".into(),
                limit: CallerLimit::InFlight {
                    in_flight: 9,
                    rows: 2,
                    most: 10,
                },
                retry_after: second,
            },
        ]);
        expect![[r#"
            UNAUTHENTICATED: authorization: is missing; `Bearer TOKEN` is needed None None Some("CREDENTIALS_MISSING {}")
            UNAUTHENTICATED: authorization: is of another kind; `Bearer TOKEN` is needed None None Some("CREDENTIALS_MISSING {}")
            UNAUTHENTICATED: authorization: the token is not known None None Some("ACCESS_TOKEN_INVALID {}")
            UNAUTHENTICATED: authorization: the caller's token has expired None None Some("ACCESS_TOKEN_EXPIRED {}")
            UNAUTHENTICATED: authorization: is missing, and no caller has the certificate of `spiffe://x`; `Bearer TOKEN` is needed None None Some("CREDENTIALS_MISSING {}")
            UNAUTHENTICATED: authorization: came twice; one `Bearer TOKEN` is needed None None Some("ACCESS_TOKEN_INVALID {}")
            UNAUTHENTICATED: caller `ci` was removed None None Some("ACCESS_TOKEN_INVALID {}")
            PERMISSION_DENIED: caller `ci` lacks the scope `control`, which this call needs None None Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT {\"caller\": \"ci\"}")
            PERMISSION_DENIED: caller `ci` may not use model `gan`; it may use cnn, mlp None None Some("MODEL_NOT_ALLOWED {\"caller\": \"ci\"}")
            RESOURCE_EXHAUSTED: caller `ci` is over its rate of 100 rows a second None Some(1s) Some("RATE_LIMIT_EXCEEDED {\"caller\": \"ci\"}")
            RESOURCE_EXHAUSTED: caller `ci` has 9 of at most 10 rows in flight, 2 more do not fit None Some(1s) Some("IN_FLIGHT_LIMIT_EXCEEDED {\"caller\": \"ci\"}")
        "#]]
        .assert_eq(&table);
    }
}
