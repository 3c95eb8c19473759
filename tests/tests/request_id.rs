//! `x-request-id`: a caller's own is returned, and a refusal always has one.

use quintet_e2e::{Frame, Reply, Wire, frame, server, tiny};

use crate::support::request;

async fn call(wire: &Wire, given: Option<&str>, frames: &[Frame]) -> Reply {
    let headers: Vec<(&str, &str)> = given.map(|id| ("x-request-id", id)).into_iter().collect();
    let reply = wire.classify(&headers, &request(frames)).await;
    reply.expect("an answer")
}

fn id(reply: &Reply) -> Option<&str> {
    let id = reply.headers.get("x-request-id")?;
    Some(id.to_str().expect("visible ASCII"))
}

#[tokio::test]
async fn a_callers_id_comes_back() {
    let server = server().model(tiny("digits")).start().await;
    let wire = server.wire().await;
    for (frames, code) in [
        (vec![frame(1)], tonic::Code::Ok),
        (vec![], tonic::Code::InvalidArgument),
    ] {
        let reply = call(&wire, Some("trace-7/"), &frames).await;
        assert_eq!((reply.code(), id(&reply)), (code, Some("trace-7/")));
    }
}

#[tokio::test]
async fn refusals_without_a_fit_id_get_one_of_their_own() {
    let server = server().model(tiny("digits")).start().await;
    let wire = server.wire().await;
    let long = "x".repeat(129);
    let mut ids = Vec::new();
    for given in [None, None, Some(""), Some("two words"), Some(long.as_str())] {
        let reply = call(&wire, given, &[]).await;
        let id = id(&reply).expect("an id of its own").to_owned();
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
