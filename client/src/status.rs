//! The one table from gRPC statuses to [`ErrorKind`].

use std::error::Error as StdError;

use tonic::{Code, ConnectError, Status, TimeoutExpired};
use tonic_types::{ErrorInfo, StatusExt as _};

use crate::balance::Unresolved;
use crate::error::{ErrorKind, Failure, FieldViolation};
use crate::metadata::request_id;
use crate::transport::Refused;

/// Under which key of `google.rpc.ErrorInfo` the server names an internal error.
const ERROR_ID: &str = "error_id";
/// The reason for which `google.rpc.ErrorInfo` counts images.
const TOO_FEW_FOUND: &str = "TOO_FEW_FOUND";

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        // A status that a server sent has no source. With one, this side's transport made it,
        // whatever its code.
        if let Some(cause) = status.source() {
            let is_timeout = chain(cause).any(<dyn StdError>::is::<TimeoutExpired>);
            let failure = if is_timeout {
                Self::new(ErrorKind::DeadlineExceeded, "")
            } else {
                Self::new(ErrorKind::Connect, connection_message(cause))
            };
            return failure.caused_by(status);
        }
        // HTTP/2 refuses metadata of tens of kilobytes below gRPC.
        if status.code() == Code::Unknown && status.message().ends_with("HTTP status code 431") {
            let message = "the metadata is larger than the server takes";
            return Self::new(ErrorKind::MessageTooLarge, message).caused_by(status);
        }
        let details = status.check_error_details().unwrap_or_default();
        Self {
            kind: kind(&status, &details),
            message: status.message().to_owned(),
            retry_delay: details.retry_info().and_then(|it| it.retry_delay),
            request_id: request_id(status.metadata()),
            source: Some(status.into()),
        }
    }
}

impl From<Unresolved> for Failure {
    fn from(error: Unresolved) -> Self {
        Self::new(ErrorKind::Connect, error.to_string()).caused_by(error)
    }
}

impl From<tonic::transport::Error> for Failure {
    fn from(error: tonic::transport::Error) -> Self {
        Self::new(ErrorKind::Connect, connection_message(&error)).caused_by(error)
    }
}

fn kind(status: &Status, details: &tonic_types::ErrorDetails) -> ErrorKind {
    match status.code() {
        Code::InvalidArgument => ErrorKind::InvalidArgument {
            violations: details
                .bad_request()
                .into_iter()
                .flat_map(|it| &it.field_violations)
                .map(|it| FieldViolation {
                    field: it.field.clone(),
                    description: it.description.clone(),
                })
                .collect(),
        },
        Code::NotFound => ErrorKind::NotFound,
        Code::FailedPrecondition => details
            .error_info()
            .and_then(too_few_found)
            .unwrap_or(ErrorKind::FailedPrecondition),
        Code::ResourceExhausted => ErrorKind::Overloaded,
        Code::Unavailable => ErrorKind::Unavailable,
        Code::DeadlineExceeded => ErrorKind::DeadlineExceeded,
        Code::Cancelled if status.message() == TimeoutExpired(()).to_string() => {
            ErrorKind::DeadlineExceeded
        }
        Code::Cancelled | Code::Aborted => ErrorKind::Cancelled,
        Code::OutOfRange => ErrorKind::MessageTooLarge,
        Code::PermissionDenied => ErrorKind::PermissionDenied,
        Code::Unauthenticated => ErrorKind::Unauthenticated,
        Code::Unimplemented => ErrorKind::Unimplemented,
        Code::Internal | Code::DataLoss => {
            let id = details
                .error_info()
                .and_then(|it| it.metadata.get(ERROR_ID));
            ErrorKind::Internal { id: id.cloned() }
        }
        Code::Ok | Code::Unknown | Code::AlreadyExists => ErrorKind::Protocol,
    }
}

fn too_few_found(info: &ErrorInfo) -> Option<ErrorKind> {
    let count = |name| info.metadata.get(name)?.parse().ok();
    (info.reason == TOO_FEW_FOUND).then_some(())?;
    Some(ErrorKind::TooFewFound {
        found: count("found")?,
        wanted: count("wanted")?,
        candidates: count("candidates")?,
    })
}

/// Says whether the connection was never made or was lost, with the operating system's words, which
/// lie deepest.
fn connection_message(cause: &(dyn StdError + 'static)) -> String {
    let deepest = chain(cause)
        .last()
        .map_or_else(String::new, ToString::to_string);
    let never_made = |it: &(dyn StdError + 'static)| {
        it.is::<ConnectError>() || it.is::<Unresolved>() || it.is::<Refused>()
    };
    if chain(cause).any(never_made) {
        deepest
    } else {
        format!("the connection was lost: {deepest}")
    }
}

fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |it| (*it).source())
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, sync::Arc, time::Duration};

    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn every_code_has_a_kind() {
        let violations = Vec::new();
        let table = [
            (Code::Cancelled, ErrorKind::Cancelled, false),
            (Code::Unknown, ErrorKind::Protocol, false),
            (
                Code::InvalidArgument,
                ErrorKind::InvalidArgument { violations },
                false,
            ),
            (Code::DeadlineExceeded, ErrorKind::DeadlineExceeded, false),
            (Code::NotFound, ErrorKind::NotFound, false),
            (Code::AlreadyExists, ErrorKind::Protocol, false),
            (Code::PermissionDenied, ErrorKind::PermissionDenied, false),
            (Code::ResourceExhausted, ErrorKind::Overloaded, false),
            (
                Code::FailedPrecondition,
                ErrorKind::FailedPrecondition,
                false,
            ),
            (Code::Aborted, ErrorKind::Cancelled, false),
            (Code::OutOfRange, ErrorKind::MessageTooLarge, false),
            (Code::Unimplemented, ErrorKind::Unimplemented, false),
            (Code::Internal, ErrorKind::Internal { id: None }, false),
            (Code::Unavailable, ErrorKind::Unavailable, true),
            (Code::DataLoss, ErrorKind::Internal { id: None }, false),
            (Code::Unauthenticated, ErrorKind::Unauthenticated, false),
        ];
        for (code, kind, retryable) in table {
            let failure = Failure::from(Status::new(code, "words"));
            assert_eq!(failure.kind, kind, "{code:?}");
            assert_eq!(failure.is_retryable(), retryable, "{code:?}");
            assert_eq!(failure.message, "words");
        }
    }

    #[test]
    fn details_are_typed() {
        let mut details = ErrorDetails::new();
        details
            .add_bad_request_violation("images[0].encoded", "not a PNG")
            .set_retry_info(Some(Duration::from_millis(30)))
            .set_error_info(
                "INTERNAL",
                "quintet.v1",
                [("error_id".into(), "1f-0".into())],
            );
        let with = |code| Failure::from(Status::with_error_details(code, "", details.clone()));

        let ErrorKind::InvalidArgument { violations } = with(Code::InvalidArgument).kind else {
            panic!("another kind");
        };
        assert_eq!(violations[0].field, "images[0].encoded");
        assert_eq!(violations[0].description, "not a PNG");

        let overloaded = with(Code::ResourceExhausted);
        assert_eq!(overloaded.retry_delay, Some(Duration::from_millis(30)));
        assert!(overloaded.is_retryable());

        assert_eq!(
            with(Code::Internal).kind,
            ErrorKind::Internal {
                id: Some("1f-0".into())
            }
        );
    }

    #[test]
    fn too_few_images_are_counted() {
        let with = |reason, counts: &[(&str, &str)]| {
            let counts = counts
                .iter()
                .map(|&(name, count)| (name.to_owned(), count.to_owned()));
            let mut details = ErrorDetails::new();
            details.set_error_info(reason, "quintet.v1", counts.collect::<HashMap<_, _>>());
            let code = Code::FailedPrecondition;
            Failure::from(Status::with_error_details(code, "words", details))
        };
        let all = [("found", "3"), ("wanted", "20"), ("candidates", "5120")];
        let failure = with(TOO_FEW_FOUND, &all);
        let kind = ErrorKind::TooFewFound {
            found: 3,
            wanted: 20,
            candidates: 5120,
        };
        assert_eq!(
            (failure.to_string(), &failure.kind),
            ("too few found: words".into(), &kind)
        );
        assert!(!failure.is_retryable());
        for other in [
            with("OTHER", &all),
            with(TOO_FEW_FOUND, &all[1..]),
            with(TOO_FEW_FOUND, &[all[0], all[1], ("candidates", "-1")]),
        ] {
            assert_eq!(other.kind, ErrorKind::FailedPrecondition);
        }
    }

    #[test]
    fn a_tonic_servers_timeout_is_a_timeout() {
        let failure = Failure::from(Status::cancelled("Timeout expired"));
        assert_eq!(failure.kind, ErrorKind::DeadlineExceeded);
    }

    #[test]
    fn transport_failures_are_told_by_their_cause() {
        let with = |cause: Arc<dyn StdError + Send + Sync>| {
            let mut status = Status::unknown("transport error");
            status.set_source(cause);
            Failure::from(status)
        };
        let refused = with(Arc::new(ConnectError("connection refused".into())));
        assert_eq!(refused.kind, ErrorKind::Connect);
        assert_eq!(refused.message, "connection refused");
        let lost = with(Arc::new(std::io::Error::other("reset")));
        assert_eq!(lost.kind, ErrorKind::Connect);
        assert_eq!(lost.message, "the connection was lost: reset");
        assert_eq!(
            with(Arc::new(TimeoutExpired(()))).kind,
            ErrorKind::DeadlineExceeded
        );
    }

    #[test]
    fn undecodable_details_leave_the_status_readable() {
        let status = Status::with_details(Code::NotFound, "no model", vec![0xff; 3].into());
        assert_eq!(Failure::from(status).kind, ErrorKind::NotFound);
    }
}
