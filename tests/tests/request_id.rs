//! `x-request-id`: a caller's own is given back, others get one.

use quintet_e2e::{Wire, frame, server, tiny};

use crate::support::request;

async fn id_for(wire: &Wire, given: Option<&str>) -> String {
    let headers: Vec<(&str, &str)> = given.map(|id| ("x-request-id", id)).into_iter().collect();
    let reply = wire.classify(&headers, &request(&[frame(1)])).await;
    let reply = reply.expect("an answer");
    assert_eq!(reply.code(), tonic::Code::Ok);
    let id = reply.headers["x-request-id"].to_str();
    id.expect("visible ASCII").to_owned()
}

#[tokio::test]
async fn a_callers_id_comes_back() {
    let server = server().model(tiny("digits")).start().await;
    let wire = server.wire().await;
    assert_eq!(id_for(&wire, Some("trace-7/")).await, "trace-7/");
}

#[tokio::test]
async fn requests_without_a_fit_id_get_one_of_their_own() {
    let server = server().model(tiny("digits")).start().await;
    let wire = server.wire().await;
    let long = "x".repeat(129);
    let mut ids = Vec::new();
    for given in [None, None, Some(""), Some("two words"), Some(long.as_str())] {
        let id = id_for(&wire, given).await;
        assert!(
            !id.is_empty() && Some(id.as_str()) != given,
            "{given:?}: {id}"
        );
        ids.push(id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);
}

#[tokio::test]
async fn refusals_carry_the_id_too() {
    let server = server().model(tiny("digits")).start().await;
    let wire = server.wire().await;
    let reply = wire
        .classify(&[("x-request-id", "mine")], &request(&[]))
        .await;
    let reply = reply.unwrap();
    assert_eq!(reply.code(), tonic::Code::InvalidArgument);
    assert_eq!(reply.headers["x-request-id"], "mine");
}
