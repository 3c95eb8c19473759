//! A server is ready when its required models compute what the trainer computed.

use quintet_client::{ModelState, ServingStatus};
use quintet_e2e::{Flaw, Server, TinyModel, server, tiny};

use crate::support::assert_works;

/// The server's state, as its three interfaces report it.
async fn is_ready(server: &Server) -> bool {
    let health = server
        .client()
        .await
        .health(None)
        .await
        .expect("it is known");
    let page = server.page("/readyz").await;
    assert_eq!(
        page.status == 200,
        health == ServingStatus::Serving,
        "{page:?}"
    );
    let metrics = server.metrics().await;
    assert_eq!(
        metrics.value("quintet_server_ready", &[]),
        u64::from(page.status == 200)
    );
    assert_eq!(
        server.page("/healthz").await.status,
        200,
        "it lives, ready or not"
    );
    page.status == 200
}

async fn reason(server: &Server, model: &str) -> String {
    let models = server.client().await.list_models().await;
    let models = models.expect("models are always listed");
    let model = models.iter().find(|info| info.name == model);
    let model = model.expect("the model is listed");
    assert_eq!(model.state, ModelState::Unavailable);
    model.reason.clone()
}

#[tokio::test]
async fn a_server_with_sound_models_is_ready() {
    let server = server().model(tiny("a")).model(tiny("b")).start().await;
    assert!(is_ready(&server).await);
    let page = server.page("/readyz").await;
    assert_eq!((page.status, page.body.as_str()), (200, "ready\n"));
    let page = server.page("/healthz").await;
    assert_eq!((page.status, page.body.as_str()), (200, "alive\n"));
}

/// The flaws of a bundle, and the reason that the operator gets for each.
#[tokio::test]
async fn a_flawed_model_is_not_served_and_others_are() {
    for (flaw, words) in [
        (Flaw::Golden, "golden samples do not agree"),
        (Flaw::Checksum, "sha256"),
        (Flaw::Signature, "scores"),
        (Flaw::Task, "text_classification"),
        (Flaw::Manifest, "surprise"),
    ] {
        let server = server()
            .model(tiny("broken").flaw(flaw))
            .model(tiny("digits"))
            .start_settled()
            .await;
        assert!(!is_ready(&server).await, "{flaw:?}");
        let reason = reason(&server, "broken").await;
        assert!(reason.to_lowercase().contains(words), "{flaw:?}: {reason}");
        let page = server.page("/readyz").await;
        assert!(page.body.contains("`broken`"), "{}", page.body);
        assert!(!page.body.contains("`digits`"), "{}", page.body);
        let mut client = server.raw().await;
        let asked = quintet_proto::v1::ClassifyRequest {
            model: "digits".to_owned(),
            ..crate::support::request(&[quintet_e2e::frame(1)])
        };
        client.classify(asked).await.unwrap();
        // One that names no model gets the one that works.
        assert_works(&server).await;
    }
}

#[tokio::test]
async fn a_flawed_model_that_is_not_required_does_not_hold_up_the_server() {
    let server = server()
        .model(tiny("broken").flaw(Flaw::Golden))
        .model(tiny("digits"))
        .required_models(&["digits"])
        .start()
        .await;
    server.settled().await;
    assert!(is_ready(&server).await);
    let status = server.client().await.health(Some("broken")).await.unwrap();
    assert_eq!(status, ServingStatus::NotServing);
}

#[tokio::test]
async fn a_required_model_that_is_not_there_is_named() {
    let server = server()
        .model(tiny("digits"))
        .required_models(&["digits", "missing"])
        .start_settled()
        .await;
    assert!(!is_ready(&server).await);
    let page = server.page("/readyz").await;
    assert!(page.body.contains("`missing`"), "{}", page.body);
}

#[tokio::test]
async fn a_server_without_models_is_not_ready() {
    let server = server().start_settled().await;
    assert!(!is_ready(&server).await);
    let page = server.page("/readyz").await;
    assert!(page.body.contains("no model"), "{}", page.body);
}

/// The ports are open from the start, also while models warm up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_loads_says_so_and_is_ready_later() {
    let slow: TinyModel = tiny("digits").slow();
    let server = server().model(slow).max_batch_size(8).start_loading().await;
    assert!(!is_ready(&server).await);
    assert_eq!(
        server.client().await.health(Some("digits")).await.unwrap(),
        ServingStatus::NotServing
    );
    let models = server.client().await.list_models().await.unwrap();
    assert_eq!(models[0].state, ModelState::Loading);
    let asked = crate::support::request(&[quintet_e2e::frame(1)]);
    let status = crate::support::refusal(&server, asked).await;
    assert_eq!(status.code(), tonic::Code::Unavailable);
    let details = tonic_types::StatusExt::get_error_details(&status);
    assert!(details.retry_info().is_some(), "asking again will help");

    server.ready().await;
    assert!(is_ready(&server).await);
    assert_works(&server).await;
}

#[tokio::test]
async fn one_sound_version_is_enough() {
    let server = server()
        .model(tiny("digits"))
        .model(tiny("digits").version(2).flaw(Flaw::Checksum))
        .start_settled()
        .await;
    assert!(is_ready(&server).await);
}
