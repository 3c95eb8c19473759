//! A full queue refuses at once, says when to retry, and accepts requests again when rows leave.
//!
//! The servers here wait an hour for a batch that the queue cannot fill, so queued rows stay
//! queued.

use quintet_client::ErrorKind;
use quintet_e2e::{Server, frame, server, tiny};
use tokio::task::AbortHandle;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{encoded, refusal, request, sdk_request};

/// A server whose queue holds two rows until their caller cancels.
async fn holding() -> Server {
    server()
        .model(tiny("digits"))
        .max_batch_size(64)
        .max_queue_delay("1h")
        .max_queue_size(2)
        .start()
        .await
}

/// Such a server with a full queue, and the caller whose rows fill it.
async fn full() -> (Server, AbortHandle) {
    let server = holding().await;
    let mut client = server.raw().await;
    let waiting =
        tokio::spawn(async move { client.classify(request(&[frame(1), frame(2)])).await });
    server.queued("digits", 2).await;
    (server, waiting.abort_handle())
}

#[tokio::test]
async fn a_full_queue_refuses_with_the_time_to_come_back() {
    let (server, waiting) = full().await;

    let status = refusal(&server, request(&[frame(3)])).await;
    assert_eq!(status.code(), Code::ResourceExhausted);
    let retry = status.get_error_details().retry_info().cloned();
    let delay = retry.expect("a RetryInfo").retry_delay.expect("a delay");
    assert!(!delay.is_zero());
    assert!(
        status.message().contains("digits") && status.message().contains('2'),
        "{status:?}"
    );

    let error = server
        .client()
        .await
        .classify(sdk_request(&[frame(3)]))
        .await;
    let error = error.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Overloaded);
    assert!(error.retry_delay().is_some());

    let metrics = server.metrics().await;
    let labels = [
        ("model", "digits"),
        ("version", "1"),
        ("reason", "queue_full"),
    ];
    assert_eq!(metrics.get("quintet_rows_dropped_total", &labels), Some(2));
    waiting.abort();
}

#[tokio::test]
async fn a_full_queue_refuses_before_it_decodes() {
    let (server, waiting) = full().await;

    let mut no_picture = request(&[]);
    no_picture.images.push(encoded(b"neither".to_vec()));
    let status = refusal(&server, no_picture.clone()).await;
    assert_eq!(status.code(), Code::ResourceExhausted);
    waiting.abort();
    server.queued("digits", 0).await;
    let status = refusal(&server, no_picture).await;
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_its_place_to_others() {
    let (server, waiting) = full().await;
    assert_eq!(
        refusal(&server, request(&[frame(3)])).await.code(),
        Code::ResourceExhausted
    );

    waiting.abort();
    server.queued("digits", 0).await;
    let metrics = server.metrics().await;
    let labels = [
        ("model", "digits"),
        ("version", "1"),
        ("reason", "cancelled"),
    ];
    assert_eq!(metrics.get("quintet_rows_dropped_total", &labels), Some(2));

    let mut client = server.raw().await;
    let accepted = tokio::spawn(async move { client.classify(request(&[frame(3)])).await });
    server.queued("digits", 1).await;
    accepted.abort();
}

#[tokio::test]
async fn a_lost_connection_frees_all_its_places() {
    let server = holding().await;
    let wire = server.wire().await;
    let body = quintet_e2e::grpc_message(&prost::Message::encode_to_vec(&request(&[frame(1)])));
    let path = "/quintet.v1.InferenceService/Classify";
    let first = wire.send(path, &[], Some(body.clone())).await.unwrap();
    let second = wire.send(path, &[], Some(body)).await.unwrap();
    server.queued("digits", 2).await;
    drop((first, second, wire));
    server.queued("digits", 0).await;
}

/// With a slow model and no delay, a burst fills the queue: some requests are answered, the rest
/// refused, none lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_is_answered_or_refused() {
    let server = server()
        .model(tiny("digits").slow())
        .max_batch_size(1)
        .max_queue_size(3)
        .start()
        .await;
    let client = server.raw().await;
    let mut calls = tokio::task::JoinSet::new();
    for class in 0..10 {
        let mut client = client.clone();
        calls.spawn(async move { client.classify(request(&[frame(class)])).await });
    }
    let (mut answered, mut refused) = (0, 0);
    while let Some(outcome) = calls.join_next().await {
        match outcome.unwrap() {
            Ok(_) => answered += 1,
            Err(status) => {
                assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
                refused += 1;
            }
        }
    }
    assert_eq!(answered + refused, 10);
    assert!(
        answered >= 3,
        "what fitted in the queue was answered: {answered}"
    );
    let metrics = server.metrics().await;
    let labels = [
        ("model", "digits"),
        ("version", "1"),
        ("reason", "queue_full"),
    ];
    assert_eq!(
        metrics.value("quintet_rows_dropped_total", &labels),
        refused
    );
}

/// Hundreds of callers whose deadlines expire, and hundreds that cancel, leave nothing behind. The
/// next request is answered, and the server stops without abandoned requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_leaves_nothing_behind() {
    let server = server()
        .model(tiny("digits").slow())
        .max_batch_size(4)
        .max_queue_size(256)
        .start()
        .await;
    let wire = server.wire().await;
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..300 {
        let wire = wire.clone();
        callers.spawn(async move {
            let asked = request(&[frame(1)]);
            wire.classify(&[("grpc-timeout", "1m")], &asked).await
        });
    }
    while let Some(reply) = callers.join_next().await {
        let code = reply.unwrap().unwrap().code();
        let allowed = [Code::Ok, Code::DeadlineExceeded, Code::ResourceExhausted];
        assert!(allowed.contains(&code), "{code:?}");
    }

    let body = quintet_e2e::grpc_message(&prost::Message::encode_to_vec(&request(&[frame(1)])));
    let path = "/quintet.v1.InferenceService/Classify";
    for _ in 0..20 {
        let lost = server.wire().await;
        for _ in 0..15 {
            let _ = lost.send(path, &[], Some(body.clone())).await;
        }
    }
    let left = |metrics: &quintet_e2e::Scrape| {
        let model = [("model", "digits"), ("version", "1")];
        metrics.value("quintet_requests_in_flight", &[])
            + metrics.value("quintet_queue_depth_rows", &model)
    };
    server.metrics_when(|metrics| left(metrics) == 0).await;
    let mut client = server.raw().await;
    client.classify(request(&[frame(2)])).await.unwrap();
    server.shutdown();
    assert_eq!(server.stopped().await, 0);
}
