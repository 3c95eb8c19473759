//! Deadlines that expire and callers that cancel during generation: no further batch runs.

use std::time::Duration;

use prost::Message as _;
use quintet_e2e::{Scrape, Server, grpc_message, server, tiny, tiny_generator};
use tonic::Code;

use crate::generate::{asked, generate, with_models};
use crate::generate_stream::STREAM;

const GENERATE: &str = "/quintet.v1.InferenceService/GenerateDigits";

fn ended(rpc: &str, code: &str) -> impl Fn(&Scrape) -> bool {
    move |metrics: &Scrape| {
        let labels = [("rpc", rpc), ("model", "gan"), ("code", code)];
        metrics.value("quintet_requests_total", &labels) == 1
    }
}

fn rows(metrics: &Scrape, model: &str) -> u64 {
    metrics.value("quintet_rows_total", &[("model", model), ("version", "1")])
}

/// A server on which a thousand images take half a minute, one by one.
async fn slow() -> Server {
    server()
        .generator(tiny_generator("gan").slow())
        .model(tiny("judge").digits())
        .max_batch_size(1)
        .start()
        .await
}

/// A server on which 50 images wait for a batch that never fills.
async fn holding() -> Server {
    with_models()
        .max_batch_size(64)
        .max_queue_delay("1h")
        .start()
        .await
}

/// Checks that nothing is generated after the end of the call, except for the batch that ran then.
async fn assert_stopped(server: &Server) {
    server.queued("gan", 0).await;
    server.queued("judge", 0).await;
    let before = rows(&server.metrics().await, "gan");
    assert!(before < 500, "{before}");
    // Two images of another caller take longer than the batch that ran.
    generate(server, asked(2)).await.expect("two images");
    let after = rows(&server.metrics().await, "gan");
    assert!(after <= before + 2 + 1, "{before}, then {after}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_leaves_stops_the_drawing() {
    let server = slow().await;
    let mut client = server.raw().await;
    let call = tokio::spawn(async move { client.generate_digits(asked(1000)).await });
    server
        .metrics_when(|metrics| rows(metrics, "gan") >= 3)
        .await;
    call.abort();
    server.metrics_when(ended(GENERATE, "CANCELLED")).await;
    assert_stopped(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_leaves_stops_the_stream() {
    let server = slow().await;
    let mut client = server.raw().await;
    let answers = client.generate_digits_stream(asked(1000)).await.unwrap();
    let mut answers = answers.into_inner();
    assert!(answers.message().await.unwrap().is_some());
    drop((answers, client));
    server.metrics_when(ended(STREAM, "CANCELLED")).await;
    assert_stopped(&server).await;
}

#[tokio::test]
async fn a_caller_that_leaves_gives_its_places_back() {
    let server = holding().await;
    let mut client = server.raw().await;
    let call = tokio::spawn(async move { client.generate_digits(asked(50)).await });
    server.queued("gan", 50).await;
    call.abort();
    server.queued("gan", 0).await;
    assert_eq!(rows(&server.metrics().await, "gan"), 0);
}

#[tokio::test]
async fn a_deadline_ends_a_call_in_the_queue_and_on_arrival() {
    let server = holding().await;
    let wire = server.wire().await;
    let body = grpc_message(&asked(50).encode_to_vec());
    for rpc in [GENERATE, STREAM] {
        for timeout in ["30m", "0n"] {
            let headers = [("grpc-timeout", timeout)];
            let reply = wire.call(rpc, &headers, body.clone()).await.unwrap();
            assert_eq!(reply.code(), Code::DeadlineExceeded, "{rpc} {timeout}");
        }
    }
    server.queued("gan", 0).await;
    assert_eq!(rows(&server.metrics().await, "gan"), 0);
}

#[tokio::test]
async fn a_deadline_ends_a_call_between_chunks() {
    let server = slow().await;
    let wire = server.wire().await;
    let body = grpc_message(&asked(1000).encode_to_vec());
    for rpc in [GENERATE, STREAM] {
        let headers = [("grpc-timeout", "300m")];
        let reply = wire.call(rpc, &headers, body.clone()).await.unwrap();
        assert_eq!(reply.code(), Code::DeadlineExceeded, "{rpc}");
        server.metrics_when(ended(rpc, "DEADLINE_EXCEEDED")).await;
    }
    assert_stopped(&server).await;
}

#[tokio::test]
async fn a_drawing_that_was_accepted_is_finished_by_a_shutdown() {
    let server = server()
        .generator(tiny_generator("gan").slow())
        .model(tiny("judge").digits())
        .max_batch_size(2)
        .start()
        .await;
    let mut client = server.raw().await;
    let call = tokio::spawn(async move { client.generate_digits(asked(10)).await });
    let under_way = |metrics: &Scrape| metrics.value("quintet_requests_in_flight", &[]) == 1;
    server.metrics_when(under_way).await;
    server.shutdown();
    let answer = tokio::time::timeout(Duration::from_mins(1), call).await;
    assert_eq!(
        answer.unwrap().unwrap().unwrap().into_inner().digits.len(),
        10
    );
    assert_eq!(server.stopped().await, 0);
}
