//! One call: attempts, the pauses between them, and the timeout over it all.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tonic::Request;

use crate::{
    builder::Settings,
    error::{Error, ErrorKind, Failure},
};

/// `grpc-timeout` holds eight digits, and instants overflow: longer timeouts are cut to this one.
pub(crate) const LONGEST_TIMEOUT: Duration = Duration::from_hours(365 * 24);

impl Settings {
    /// Whether the metadata may go where calls go.
    pub(crate) fn check_credentials(&self) -> Result<(), Error> {
        let Some(address) = self
            .exposed
            .as_ref()
            .filter(|_| self.metadata.has_credentials())
        else {
            return Ok(());
        };
        Err(Error::config(format!(
            "a token would go to {address} in plain text; use TLS, or allow it with \
             token_in_plain_text"
        )))
    }

    /// The request of an attempt.
    pub(crate) fn request<M>(&self, message: M, timeout: Duration, request_id: &str) -> Request<M> {
        let mut request = Request::new(message);
        *request.metadata_mut() = self.metadata.of_call(request_id);
        request.set_timeout(timeout);
        request
    }

    /// Makes a call: runs `attempt` until it succeeds, fails for good, or the timeout passes. It is given the
    /// time that is left; `jitter` gives numbers in [0, 1).
    pub(crate) async fn call<T, F, E>(
        &self,
        rpc: &'static str,
        mut jitter: impl FnMut() -> f64,
        mut attempt: impl FnMut(Duration) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, E>>,
        E: Into<Failure>,
    {
        let start = Instant::now();
        let deadline = start + self.timeout.min(LONGEST_TIMEOUT);
        let mut attempts = 0;
        let mut last = None;
        loop {
            let remaining = deadline.saturating_duration_since(Instant::now());
            attempts += 1;
            let failure = match timeout_at(deadline, attempt(remaining)).await {
                Ok(Ok(reply)) => return Ok(reply),
                Ok(Err(failure)) => failure.into(),
                Err(_) => Failure::new(ErrorKind::DeadlineExceeded, ""),
            };
            let remaining = deadline.saturating_duration_since(Instant::now());
            let (retry_delay, jitter) = (failure.retry_delay, jitter());
            if failure.is_retryable()
                && let Some(delay) = self.retry.next(attempts, retry_delay, remaining, jitter)
            {
                last = Some(failure);
                sleep(delay).await;
                continue;
            }
            let failure = match failure.kind {
                ErrorKind::DeadlineExceeded => self.timed_out(failure, last),
                _ => failure,
            };
            return Err(Error::new(rpc, failure, attempts, start.elapsed()));
        }
    }

    /// A timeout says less than the failure before it, which was to be retried, so the error has
    /// both.
    fn timed_out(&self, failure: Failure, last: Option<Failure>) -> Failure {
        let mut message = failure.message.clone();
        if message.is_empty() {
            message = format!("no answer within {:?}", self.timeout);
        }
        match last {
            None => Failure { message, ..failure },
            Some(last) => {
                let message = format!("{message}; before that: {last}");
                Failure { message, ..failure }.caused_by(last)
            }
        }
    }
}

#[cfg(test)]
mod tests;
