//! A shutdown answers what was accepted, refuses what comes later, and ends on time.

use std::error::Error as _;

use quintet_client::ServingStatus;
use quintet_e2e::{frame, grpc_message, server, tiny};
use quintet_proto::v1::inference_service_client::InferenceServiceClient;
use tokio::io::AsyncReadExt as _;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_types::StatusExt as _;

use crate::support::{is_answer_to, request};

/// Whether this is how a call may end that the server did not accept: the server said so, or this side's transport did
/// (only then has a status a source), be it that the connection went away before the call was sent, in hyper's words a
/// cancelled operation, or that there was none to be had.
fn is_gone(status: &Status) -> bool {
    let made_here = status
        .source()
        .is_some_and(<dyn std::error::Error>::is::<tonic::transport::Error>);
    status.code() == Code::Unavailable || made_here
}

/// Callers in loops, on connections of their own, while the server shuts down: each call is answered rightly or told
/// that the server goes away. None hangs, and the server gives none up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_accepted_request_is_lost_under_load() {
    let server = server()
        .model(tiny("digits"))
        .max_batch_size(8)
        .start()
        .await;
    let mut callers = tokio::task::JoinSet::new();
    let (answers, mut answered) = tokio::sync::mpsc::unbounded_channel();
    for caller in 0..12 {
        let channel = server.channel().await;
        let answers = answers.clone();
        callers.spawn(async move {
            let mut client = InferenceServiceClient::new(channel);
            loop {
                let frames = [frame(caller % 10), frame((caller + 1) % 10)];
                match client.classify(request(&frames)).await {
                    Ok(reply) => {
                        assert!(is_answer_to(reply.get_ref(), &frames, 0));
                        // Nobody counts any more once the shutdown has begun.
                        let _ = answers.send(());
                    }
                    Err(status) => return status,
                }
            }
        });
    }
    for _ in 0..200 {
        answered.recv().await;
    }
    server.shutdown();
    assert_eq!(server.stopped().await, 0, "requests given up");
    while let Some(status) = callers.join_next().await {
        let status = status.unwrap();
        assert!(is_gone(&status), "{status:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_in_the_queue_is_still_answered() {
    let server = server()
        .model(tiny("digits").slow())
        .max_batch_size(1)
        .start()
        .await;
    let client = server.raw().await;
    let calls: Vec<_> = (0..4)
        .map(|class| {
            let mut client = client.clone();
            tokio::spawn(async move { client.classify(request(&[frame(class)])).await })
        })
        .collect();
    let in_flight =
        |metrics: &quintet_e2e::Scrape| metrics.value("quintet_requests_in_flight", &[]);
    server.metrics_when(|metrics| in_flight(metrics) == 4).await;
    server.shutdown();
    assert_eq!(server.stopped().await, 0);
    for (class, call) in calls.into_iter().enumerate() {
        let reply = call.await.unwrap().unwrap();
        assert!(is_answer_to(reply.get_ref(), &[frame(class as u8)], 0));
    }
}

/// Between the end of readiness and the end of service, load balancers look away; requests are still answered.
#[tokio::test]
async fn readiness_ends_before_service_does() {
    let server = server()
        .model(tiny("digits"))
        .shutdown_delay("300ms")
        .start()
        .await;
    let mut client = server.raw().await;
    server.shutdown();
    for service in ["", "digits"] {
        server
            .until(service, tonic_health::ServingStatus::NotServing)
            .await;
    }
    let page = server.page("/readyz").await;
    assert_eq!(page.status, 503);
    assert!(page.body.contains("shutting down"), "{}", page.body);
    assert_eq!(server.page("/healthz").await.status, 200);
    client.classify(request(&[frame(1)])).await.unwrap();
    assert_eq!(server.stopped().await, 0);
}

#[tokio::test]
async fn a_request_to_a_draining_server_is_told_to_come_back() {
    let server = server()
        .model(tiny("digits"))
        .max_batch_size(64)
        .max_queue_delay("1h")
        .shutdown_timeout("2s")
        .start()
        .await;
    // Keeps the connection, and so the server, from ending.
    let wire = server.wire().await;
    let path = "/quintet.v1.InferenceService/Classify";
    let body = grpc_message(&prost::Message::encode_to_vec(&request(&[frame(1)])));
    let waiting = wire.send(path, &[], Some(body.clone())).await.unwrap();
    // Its headers are there before the shutdown, its body comes after it has begun.
    let (response, mut late) = wire.send(path, &[], None).await.unwrap();
    let in_flight =
        |metrics: &quintet_e2e::Scrape| metrics.value("quintet_requests_in_flight", &[]);
    server.metrics_when(|metrics| in_flight(metrics) == 2).await;
    let address = server.address();
    server.shutdown();
    // The listener is closed when the drain has begun.
    while tokio::net::TcpStream::connect(address).await.is_ok() {}
    late.send_data(body, true).unwrap();
    let reply = quintet_e2e::Reply::read(response).await.unwrap();
    assert_eq!(reply.code(), Code::Unavailable);
    assert!(reply.status.get_error_details().retry_info().is_some());
    drop(waiting);
    assert_eq!(server.stopped().await, 0);
}

/// A request that cannot end in time is given up when the limit is reached, and counted.
#[tokio::test]
async fn the_hard_limit_is_kept() {
    let server = server()
        .model(tiny("digits").slow())
        .max_batch_size(1)
        .instances(1)
        .shutdown_timeout("200ms")
        .start()
        .await;
    let mut client = server.raw().await;
    let frames: Vec<_> = (0..200).map(|_| frame(1)).collect();
    let stuck = tokio::spawn(async move { client.classify(request(&frames)).await });
    let waiting = |metrics: &quintet_e2e::Scrape| {
        metrics.value(
            "quintet_queue_depth_rows",
            &[("model", "digits"), ("version", "1")],
        )
    };
    server.metrics_when(|metrics| waiting(metrics) > 0).await;
    server.shutdown();
    assert_eq!(server.stopped().await, 1);
    let status = stuck.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}

/// A health watch has no end of its own; one that is open must not keep the server until its hard limit.
#[tokio::test]
async fn an_open_health_watch_does_not_hold_up_the_shutdown() {
    let server = server().model(tiny("digits")).start().await;
    let request = HealthCheckRequest::default();
    let mut watch = server
        .health()
        .await
        .watch(request)
        .await
        .unwrap()
        .into_inner();
    assert!(watch.message().await.unwrap().is_some());
    server.shutdown();
    assert_eq!(server.stopped().await, 0);
}

/// A client that connects and says nothing holds nothing up either.
#[tokio::test]
async fn a_silent_connection_does_not_hold_up_the_shutdown() {
    let server = server().model(tiny("digits")).start().await;
    let mut silent = tokio::net::TcpStream::connect(server.address())
        .await
        .unwrap();
    // The server has accepted it when it has answered a later one.
    crate::support::assert_works(&server).await;
    server.shutdown();
    assert_eq!(server.stopped().await, 0);
    let mut rest = Vec::new();
    // It is closed, however that looks from here.
    let _ = silent.read_to_end(&mut rest).await;
}

/// Nor does one whose caller never sends the rest.
#[tokio::test]
async fn a_request_that_does_not_come_whole_does_not_hold_up_the_shutdown() {
    let server = server().model(tiny("digits")).start().await;
    let wire = server.wire().await;
    let path = "/quintet.v1.InferenceService/Classify";
    let body = grpc_message(&prost::Message::encode_to_vec(&request(&[frame(1)])));
    let (headers_only, _nothing) = wire.send(path, &[], None).await.unwrap();
    let (half, mut rest) = wire.send(path, &[], None).await.unwrap();
    rest.send_data(body.slice(..body.len() / 2), false).unwrap();
    let in_flight =
        |metrics: &quintet_e2e::Scrape| metrics.value("quintet_requests_in_flight", &[]);
    server.metrics_when(|metrics| in_flight(metrics) == 2).await;
    server.shutdown();
    assert_eq!(server.stopped().await, 0);
    for response in [headers_only, half] {
        assert!(quintet_e2e::Reply::read(response).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_while_models_load_ends_at_once() {
    let server = server()
        .model(tiny("digits").slow())
        .max_batch_size(8)
        .start_loading()
        .await;
    let status = server.client().await.health(None).await.unwrap();
    assert_eq!(status, ServingStatus::NotServing);
    server.shutdown();
    assert_eq!(server.stopped().await, 0);
}
