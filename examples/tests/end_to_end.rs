//! The example's network is trained, its bundle served by the example's task, and called.

#![expect(clippy::unwrap_used, reason = "a set-up that fails must fail its test")]

use std::path::Path;
use std::process::Command;

use prost::Message as _;
use quintet_bundle::Bundle;
use quintet_e2e::{grpc_message, server};
use quintet_example::locate::{Locate, LocateRequest, LocateResponse, PATH};
use quintet_example::rings::ring;
use tonic::Code;
use tonic_health::ServingStatus;

const RINGS: [&str; 3] = ["inner", "middle", "outer"];

/// Trains in `folder`.
fn train(folder: &Path) {
    let library = std::env::var("ORT_DYLIB_PATH").unwrap();
    let trained = Command::new(env!("CARGO_BIN_EXE_quintet-example"))
        .current_dir(folder)
        .args([
            "train",
            "ring_net",
            "--onnxruntime",
            &library,
            "--data-dir",
            ".",
        ])
        .output()
        .unwrap();
    assert!(
        trained.status.success(),
        "{}",
        String::from_utf8_lossy(&trained.stderr)
    );
}

#[tokio::test]
async fn what_is_added_in_one_place_each_is_trained_and_served() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path());
    let models = folder.path().join("models");
    let bundle = Bundle::open(&models.join("ring_net/1")).unwrap();
    assert!(bundle.manifest().metrics["test_accuracy"] > 0.95);

    let server = server()
        .models_dir(&models)
        .task(Locate { max_points: 4 })
        .start()
        .await;
    let wire = server.wire().await;
    let locate = async |points: &[[f32; 2]]| {
        let request = LocateRequest {
            x: points.iter().map(|[x, _]| *x).collect(),
            y: points.iter().map(|[_, y]| *y).collect(),
        };
        let reply = wire.call(PATH, &[], grpc_message(&request.encode_to_vec()));
        reply.await.unwrap()
    };
    let points = [[3.0, -4.0], [40.0, 40.0], [-90.0, 10.0]];
    let reply = locate(&points).await;
    assert_eq!(reply.code(), Code::Ok, "{reply:?}");
    let answer = LocateResponse::decode(reply.body.slice(5..)).unwrap();
    let expected = points.map(|point| RINGS[ring(point) as usize]);
    assert_eq!(answer.rings, expected);
    assert_eq!(answer.model, "ring_net");

    let reply = locate(&[[0.0, 0.0]; 5]).await;
    assert_eq!(reply.code(), Code::InvalidArgument);
    assert_eq!(reply.status.message(), "x: holds 5 x; 1 to 4 are allowed");

    let labels = [("rpc", PATH), ("model", "ring_net"), ("code", "OK")];
    let metrics = server.metrics().await;
    assert_eq!(metrics.value("quintet_requests_total", &labels), 1);
    let status = server.status("example.v1.PointService").await;
    assert_eq!(status, ServingStatus::Serving);
}
