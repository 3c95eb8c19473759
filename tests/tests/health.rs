//! The standard health service: the server, the domain service, and each model.

use quintet_client::ServingStatus;
use quintet_e2e::{Flaw, server, tiny};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;

#[tokio::test]
async fn the_server_its_service_and_its_models_are_serving() {
    let server = server().model(tiny("digits")).start().await;
    let client = server.client().await;
    for service in [None, Some("quintet.v1.InferenceService"), Some("digits")] {
        let status = client.health(service).await.unwrap();
        assert_eq!(status, ServingStatus::Serving, "{service:?}");
    }
}

#[tokio::test]
async fn each_model_is_told_apart() {
    let server = server()
        .model(tiny("broken").flaw(Flaw::Golden))
        .model(tiny("digits"))
        .start_settled()
        .await;
    let client = server.client().await;
    for (service, status) in [
        (Some("digits"), ServingStatus::Serving),
        (Some("broken"), ServingStatus::NotServing),
        (None, ServingStatus::NotServing),
        (
            Some("quintet.v1.InferenceService"),
            ServingStatus::NotServing,
        ),
    ] {
        assert_eq!(client.health(service).await.unwrap(), status, "{service:?}");
    }
}

#[tokio::test]
async fn an_unknown_service_is_not_found() {
    let server = server().model(tiny("digits")).start().await;
    let request = HealthCheckRequest {
        service: "nobody".to_owned(),
    };
    let status = server.health().await.check(request).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}
