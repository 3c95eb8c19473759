//! An expired deadline is DEADLINE_EXCEEDED at every stage, and frees the request's resources.
//! tonic's client would cancel by itself, with another code, so these tests use a bare connection.

use std::time::Duration;

use quintet_client::ErrorKind;
use quintet_e2e::{frame, server, tiny};
use tonic::Code;

use crate::support::{assert_works, request, sdk_request, violation};

#[tokio::test]
async fn a_deadline_that_passes_in_the_queue() {
    let server = server()
        .model(tiny("digits"))
        .max_batch_size(64)
        .max_queue_delay("1h")
        .start()
        .await;
    let wire = server.wire().await;
    let headers = [("grpc-timeout", "30m")];
    let reply = wire
        .classify(&headers, &request(&[frame(1), frame(2)]))
        .await
        .unwrap();
    assert_eq!(reply.code(), Code::DeadlineExceeded, "{:?}", reply.status);

    server.queued("digits", 0).await;
    let metrics = server.metrics().await;
    let labels = [
        ("model", "digits"),
        ("version", "1"),
        ("reason", "deadline"),
    ];
    assert_eq!(metrics.get("quintet_rows_dropped_total", &labels), Some(2));
    let labels = [
        ("rpc", "/quintet.v1.InferenceService/Classify"),
        ("model", "digits"),
        ("code", "DEADLINE_EXCEEDED"),
    ];
    assert_eq!(metrics.get("quintet_requests_total", &labels), Some(1));
}

#[tokio::test]
async fn a_deadline_that_has_passed_on_arrival() {
    let server = server().model(tiny("digits")).start().await;
    let wire = server.wire().await;
    for timeout in ["0n", "0S", "1n"] {
        let headers = [("grpc-timeout", timeout)];
        let reply = wire
            .classify(&headers, &request(&[frame(1)]))
            .await
            .unwrap();
        assert_eq!(reply.code(), Code::DeadlineExceeded, "{timeout}");
    }
    let batches = server.metrics().await;
    let labels = [("model", "digits"), ("version", "1")];
    assert_eq!(
        batches.value("quintet_rows_total", &labels),
        0,
        "nothing was computed"
    );
}

#[tokio::test]
async fn a_deadline_that_passes_while_the_model_runs() {
    let server = server()
        .model(tiny("digits").slow())
        .max_batch_size(1)
        .start()
        .await;
    let wire = server.wire().await;
    let reply = wire
        .classify(&[("grpc-timeout", "2m")], &request(&[frame(1)]))
        .await
        .unwrap();
    assert_eq!(reply.code(), Code::DeadlineExceeded, "{:?}", reply.status);
    assert_works(&server).await;
}

#[tokio::test]
async fn a_generous_deadline_is_no_obstacle() {
    let server = server().model(tiny("digits")).start().await;
    let wire = server.wire().await;
    for timeout in ["99999999H", "99999999S", "10S", "60000m"] {
        let reply = wire
            .classify(&[("grpc-timeout", timeout)], &request(&[frame(1)]))
            .await;
        assert_eq!(reply.unwrap().code(), Code::Ok, "{timeout}");
    }
}

#[tokio::test]
async fn a_timeout_that_cannot_be_read_is_refused() {
    let server = server().model(tiny("digits")).start().await;
    let wire = server.wire().await;
    for timeout in ["", "5", "S", "5s", "-1S", "123456789S", "1.5S", "5 S"] {
        let reply = wire
            .classify(&[("grpc-timeout", timeout)], &request(&[frame(1)]))
            .await;
        let (field, _) = violation(&reply.unwrap().status);
        assert_eq!(field, "grpc-timeout", "{timeout:?}");
    }
}

#[tokio::test]
async fn the_sdk_tells_a_timeout_from_a_cancellation() {
    let server = server()
        .model(tiny("digits"))
        .max_batch_size(64)
        .max_queue_delay("1h")
        .start()
        .await;
    let client = server
        .client()
        .await
        .with_timeout(Duration::from_millis(20));
    let error = client.classify(sdk_request(&[frame(1)])).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::DeadlineExceeded, "{error}");
    server.queued("digits", 0).await;
}
