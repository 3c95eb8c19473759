//! Errors as answers.

use std::cell::RefCell;

use http::{HeaderMap, Response};
use tonic::body::Body;
use tonic::{Code, Status};

use super::status::status;
use crate::error::ServeError;
use crate::transport::Reply;

thread_local! {
    /// The last refusal by a full queue. Thousands of callers a second get the same one, and
    /// writing it costs more than reading their requests.
    static LAST_FULL: RefCell<Option<(ServeError, HeaderMap)>> = const { RefCell::new(None) };
}

/// An error as an answer.
pub(super) fn refuse(error: &ServeError) -> (Response<Reply>, Code) {
    if !matches!(error, ServeError::QueueFull { .. }) {
        return refuse_as(status(error));
    }
    LAST_FULL.with_borrow_mut(|last| match last {
        Some((same, headers)) if same == error => {
            let mut response = Response::new(Reply::Nothing);
            headers.clone_into(response.headers_mut());
            (response, Code::ResourceExhausted)
        }
        _ => {
            let (response, code) = refuse_as(status(error));
            *last = Some((error.clone(), response.headers().clone()));
            (response, code)
        }
    })
}

/// A status as an answer.
pub(super) fn refuse_as(status: Status) -> (Response<Reply>, Code) {
    let code = status.code();
    let response = status.into_http::<Body>();
    (response.map(|_| Reply::Nothing), code)
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
