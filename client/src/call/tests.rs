//! The call loop on a paused clock: pauses and errors.

use std::{cell::RefCell, error::Error as _, sync::Arc};

use super::*;
use crate::retry::RetryPolicy;

/// The timeout is 10 s.
fn settings(retry: RetryPolicy) -> Settings {
    Settings {
        timeout: Duration::from_secs(10),
        stream_timeout: None,
        retry,
        max_message_size: 0,
        compression: None,
        metadata: Arc::default(),
        exposed: None,
    }
}

fn failing(kind: ErrorKind) -> Failure {
    Failure::new(kind, "words")
}

fn overloaded(milliseconds: u64) -> Failure {
    let retry_delay = Some(Duration::from_millis(milliseconds));
    Failure {
        retry_delay,
        ..failing(ErrorKind::Overloaded)
    }
}

/// Runs a call whose attempts fail in this order and then succeed; gives the outcome and when, in
/// milliseconds, each attempt was made.
async fn run(
    settings: Settings,
    jitter: f64,
    failures: impl IntoIterator<Item = Failure>,
) -> (Result<&'static str, Error>, Vec<u128>) {
    let start = Instant::now();
    let times = RefCell::new(Vec::new());
    let mut failures = failures.into_iter();
    let outcome = settings
        .call(
            "Classify",
            || jitter,
            |_| {
                times.borrow_mut().push(start.elapsed().as_millis());
                let failure = failures.next();
                async { failure.map_or(Ok("answer"), Err) }
            },
        )
        .await;
    (outcome, times.into_inner())
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_until_the_call_succeeds() {
    let settings = settings(RetryPolicy::default());
    let failures = [
        ErrorKind::Unavailable,
        ErrorKind::Connect,
        ErrorKind::Unavailable,
    ];
    let (outcome, times) = run(settings, 0.5, failures.map(failing)).await;
    assert_eq!(outcome.unwrap(), "answer");
    assert_eq!(times, [0, 50, 150, 350]);
}

#[tokio::test(start_paused = true)]
async fn the_servers_delay_is_the_minimum() {
    let settings = settings(RetryPolicy::default());
    let (outcome, times) = run(settings, 0.0, [overloaded(700), overloaded(30)]).await;
    assert_eq!(outcome.unwrap(), "answer");
    assert_eq!(times, [0, 700, 730]);
}

#[tokio::test(start_paused = true)]
async fn attempts_are_bounded_and_told() {
    let settings = settings(RetryPolicy::default().max_attempts(3));
    let (outcome, times) = run(settings, 1.0, std::iter::repeat_with(|| overloaded(100))).await;
    let error = outcome.unwrap_err();
    assert_eq!(times, [0, 200, 500]);
    assert_eq!(error.attempts(), 3);
    assert_eq!(error.elapsed(), Duration::from_millis(500));
    assert_eq!(
        error.to_string(),
        "Classify: overloaded: words (3 attempts in 500 ms)"
    );
    assert!(error.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_stays_is_not_tried_again() {
    let settings = settings(RetryPolicy::default());
    for kind in [
        ErrorKind::InvalidArgument {
            violations: Vec::new(),
        },
        ErrorKind::NotFound,
        ErrorKind::Overloaded,
        ErrorKind::DeadlineExceeded,
        ErrorKind::Internal { id: None },
    ] {
        let (outcome, times) = run(settings.clone(), 0.5, [failing(kind.clone())]).await;
        assert_eq!(outcome.unwrap_err().kind(), &kind);
        assert_eq!(times, [0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_past_the_deadline_is_not_begun() {
    let settings = settings(RetryPolicy::default());
    let (outcome, times) = run(settings, 0.0, [overloaded(10_000)]).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Overloaded);
    assert_eq!(error.retry_delay(), Some(Duration::from_secs(10)));
    assert_eq!(error.elapsed(), Duration::ZERO);
    assert_eq!(times, [0]);
}

#[tokio::test(start_paused = true)]
async fn the_timeout_covers_all_attempts_and_what_is_left_is_handed_on() {
    let settings = settings(RetryPolicy::default());
    let given = RefCell::new(Vec::new());
    let error = settings
        .call(
            "Classify",
            || 0.0,
            |remaining| {
                given.borrow_mut().push(remaining.as_secs());
                async {
                    sleep(Duration::from_secs(4)).await;
                    Err::<(), _>(failing(ErrorKind::Unavailable))
                }
            },
        )
        .await
        .unwrap_err();
    assert_eq!(given.into_inner(), [10, 6, 2]);
    assert_eq!(error.elapsed(), Duration::from_secs(10));
    assert_eq!(error.kind(), &ErrorKind::DeadlineExceeded);
    assert_eq!(
        error.message(),
        "no answer within 10s; before that: unavailable: words"
    );
    assert_eq!(error.source().unwrap().to_string(), "unavailable: words");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_without_end_does_not_overflow() {
    let settings = Settings {
        timeout: Duration::MAX,
        ..settings(RetryPolicy::none())
    };
    let (outcome, _) = run(settings, 0.5, []).await;
    assert_eq!(outcome.unwrap(), "answer");
}
