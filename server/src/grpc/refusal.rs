//! Errors as answers.

use std::cell::RefCell;

use http::{HeaderMap, Response};
use tonic::body::Body;
use tonic::{Code, Status};

use super::exchange::Reply;
use super::status::status;
use crate::error::ServeError;

/// An error and the headers that carry it.
struct Written {
    error: ServeError,
    headers: HeaderMap,
    code: Code,
}

thread_local! {
    /// The last refusal by a full queue. Thousands of callers a second get the same one, and
    /// writing it costs more than reading their requests.
    static LAST_FULL: RefCell<Option<Written>> = const { RefCell::new(None) };
}

/// An error as an answer.
pub(super) fn refuse(error: &ServeError) -> (Response<Reply>, Code) {
    let (headers, code) = match error {
        ServeError::QueueFull { .. } => kept(error),
        _ => write(status(error)),
    };
    refusal(headers, code)
}

/// A status as an answer.
pub(super) fn refuse_as(status: Status) -> (Response<Reply>, Code) {
    let (headers, code) = write(status);
    refusal(headers, code)
}

fn refusal(headers: HeaderMap, code: Code) -> (Response<Reply>, Code) {
    let mut response = Response::new(Reply::Nothing);
    *response.headers_mut() = headers;
    (response, code)
}

/// The headers of the last such error, if it was the same.
fn kept(error: &ServeError) -> (HeaderMap, Code) {
    LAST_FULL.with_borrow_mut(|last| match last {
        Some(last) if last.error == *error => (last.headers.clone(), last.code),
        _ => {
            let (headers, code) = write(status(error));
            *last = Some(Written {
                error: error.clone(),
                headers: headers.clone(),
                code,
            });
            (headers, code)
        }
    })
}

fn write(status: Status) -> (HeaderMap, Code) {
    let code = status.code();
    let (head, _) = status.into_http::<Body>().into_parts();
    (head.headers, code)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::batching::QueueFull;

    #[test]
    fn a_refusal_that_was_kept_says_the_same() {
        let busy = |depth: usize| ServeError::QueueFull {
            model: "cnn".into(),
            full: QueueFull {
                unit: "rows",
                depth,
                limit: 20,
                more: 1,
            },
            retry_after: Duration::from_millis(depth as u64),
        };
        for error in [busy(10), busy(10), busy(20), busy(10)] {
            let (response, code) = refuse(&error);
            let refused = Status::from_header_map(response.headers()).unwrap();
            assert_eq!(
                (refused.code(), code),
                (Code::ResourceExhausted, Code::ResourceExhausted)
            );
            assert_eq!(refused.message(), error.to_string());
            assert_eq!(refused.details(), status(&error).details());
        }
    }
}
