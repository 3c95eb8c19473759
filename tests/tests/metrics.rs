//! The metrics match the requests exactly.

use quintet_e2e::{Scrape, Server, frame, grpc_message, server, tiny};
use quintet_proto::v1;
use tonic::Code;

use crate::support::request;

const CLASSIFY: &str = "/quintet.v1.InferenceService/Classify";
const MODEL: [(&str, &str); 2] = [("model", "digits"), ("version", "1")];

fn requests(metrics: &Scrape, model: &str, code: &str) -> u64 {
    let labels = [("rpc", CLASSIFY), ("model", model), ("code", code)];
    metrics.value("quintet_requests_total", &labels)
}

async fn code(server: &Server, request: v1::ClassifyRequest) -> Code {
    let outcome = server.raw().await.classify(request).await;
    outcome.map_or_else(|status| status.code(), |_| Code::Ok)
}

#[tokio::test]
async fn requests_are_counted_by_code() {
    let server = server()
        .model(tiny("digits").fragile())
        .max_batch_size(4)
        .start()
        .await;
    for _ in 0..3 {
        assert_eq!(
            code(&server, request(&[frame(1), frame(2)])).await,
            Code::Ok
        );
    }
    assert_eq!(code(&server, request(&[])).await, Code::InvalidArgument);
    assert_eq!(
        code(&server, request(&[frame(1).entry(9)])).await,
        Code::Internal
    );
    let unknown = v1::ClassifyRequest {
        model: "nobody".to_owned(),
        ..request(&[frame(1)])
    };
    assert_eq!(code(&server, unknown).await, Code::NotFound);

    let metrics = server.metrics().await;
    assert_eq!(requests(&metrics, "digits", "OK"), 3);
    assert_eq!(requests(&metrics, "digits", "INVALID_ARGUMENT"), 1);
    assert_eq!(requests(&metrics, "digits", "INTERNAL"), 1);
    assert_eq!(
        requests(&metrics, "", "NOT_FOUND"),
        1,
        "a name that is no model's is no label"
    );
    let durations = |model| {
        let labels = [("rpc", CLASSIFY), ("model", model)];
        metrics.value("quintet_request_duration_seconds_count", &labels)
    };
    assert_eq!((durations("digits"), durations("")), (5, 1));
    assert_eq!(metrics.value("quintet_requests_in_flight", &[]), 0);
}

#[tokio::test]
async fn rows_and_batches_are_counted() {
    let server = server()
        .model(tiny("digits"))
        .max_batch_size(4)
        .start()
        .await;
    let mut client = server.raw().await;
    for rows in [1, 4, 6] {
        let frames = vec![frame(1); rows];
        client.classify(request(&frames)).await.unwrap();
    }
    let metrics = server.metrics().await;
    assert_eq!(metrics.value("quintet_rows_total", &MODEL), 11);
    assert_eq!(metrics.value("quintet_batch_size_rows_sum", &MODEL), 11);
    // 1, 4, and 4 with 2.
    assert_eq!(metrics.value("quintet_batch_size_rows_count", &MODEL), 4);
    assert_eq!(
        metrics.value("quintet_compute_duration_seconds_count", &MODEL),
        4
    );
    assert_eq!(
        metrics.value("quintet_queue_duration_seconds_count", &MODEL),
        4
    );
    assert_eq!(
        metrics.value("quintet_preprocess_duration_seconds_count", &MODEL),
        3
    );
    assert_eq!(
        metrics.value("quintet_postprocess_duration_seconds_count", &MODEL),
        3
    );
    assert_eq!(metrics.value("quintet_queue_depth_rows", &MODEL), 0);
    assert_eq!(metrics.value("quintet_queue_limit_rows", &MODEL), 512);
    let at_most = |bound: &str| {
        let labels = [("model", "digits"), ("version", "1"), ("le", bound)];
        metrics.value("quintet_batch_size_rows_bucket", &labels)
    };
    assert_eq!([at_most("1"), at_most("2"), at_most("4")], [1, 2, 4]);
    for series in [
        "quintet_batches_failed_total",
        "quintet_instances_replaced_total",
    ] {
        assert_eq!(
            metrics.get(series, &MODEL),
            Some(0),
            "{series} is there from the start"
        );
    }
}

#[tokio::test]
async fn callers_cannot_make_series() {
    let server = server().model(tiny("digits")).start().await;
    let wire = server.wire().await;
    let probe = async |index: usize| {
        let path = format!("/made.up.Service{index}/Method");
        let reply = wire.call(&path, &[], grpc_message(b"")).await.unwrap();
        assert_eq!(reply.code(), Code::Unimplemented);
        let asked = v1::ClassifyRequest {
            model: format!("model-{index}"),
            version: index.to_string(),
            ..request(&[frame(1)])
        };
        assert_eq!(
            wire.classify(&[], &asked).await.unwrap().code(),
            Code::NotFound
        );
    };
    probe(0).await;
    let before: Vec<String> = server.metrics().await.series().map(str::to_owned).collect();
    for index in 1..50 {
        probe(index).await;
    }
    let metrics = server.metrics().await;
    let after: Vec<String> = metrics.series().map(str::to_owned).collect();
    assert_eq!(before, after);
    let labels = [("rpc", "unknown"), ("model", ""), ("code", "UNIMPLEMENTED")];
    assert_eq!(metrics.value("quintet_requests_total", &labels), 50);
}

#[tokio::test]
async fn the_model_the_build_and_the_process_are_described() {
    let server = server().model(tiny("digits")).start().await;
    let metrics = server.metrics().await;
    let info = [
        ("model", "digits"),
        ("version", "1"),
        ("architecture", "tiny"),
        ("task", "image_classification"),
        ("device", "cpu"),
    ];
    assert_eq!(metrics.get("quintet_model_info", &info), Some(1));
    assert_eq!(metrics.get("quintet_model_ready", &MODEL), Some(1));
    assert!((metrics.total("quintet_build_info") - 1.0).abs() < 1e-9);
    assert!(metrics.total("quintet_process_resident_memory_bytes") > 1e6);
}

#[tokio::test]
async fn requests_under_way_are_counted_in_and_out() {
    let server = server()
        .model(tiny("digits"))
        .max_batch_size(64)
        .max_queue_delay("1h")
        .start()
        .await;
    let mut client = server.raw().await;
    let waiting = tokio::spawn(async move { client.classify(request(&[frame(1)])).await });
    server.queued("digits", 1).await;
    assert_eq!(
        server
            .metrics()
            .await
            .value("quintet_requests_in_flight", &[]),
        1
    );
    waiting.abort();
    let gone = |metrics: &Scrape| requests(metrics, "digits", "CANCELLED") > 0;
    let metrics = server.metrics_when(gone).await;
    assert_eq!(metrics.value("quintet_requests_in_flight", &[]), 0);
    assert_eq!(requests(&metrics, "digits", "CANCELLED"), 1);
}
