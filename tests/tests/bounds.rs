//! Bounds on connections and on the bytes of requests: one caller's excess is refused, and the others
//! and the admin port do not notice.

use prost::Message as _;
use quintet_e2e::{Scrape, Server, Wire, frame, grpc_message, server, tiny};
use quintet_proto::v1;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{assert_works, encoded, request};

const CLASSIFY: &str = "/quintet.v1.InferenceService/Classify";

async fn at_most(connections: usize) -> Server {
    server()
        .model(tiny("digits"))
        .option("--max-connections", connections.to_string())
        .option("--max-connections-per-address", connections.to_string())
        .start()
        .await
}

fn turned_away(kind: &str) -> impl Fn(&Scrape) -> u64 {
    move |metrics| metrics.value("quintet_connections_turned_away_total", &[("kind", kind)])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_make_room_for_new_ones() {
    let server = at_most(4).await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(TcpStream::connect(server.address()).await.unwrap());
        assert_works(&server).await;
    }
    let metrics = server.metrics().await;
    assert!(turned_away("idle")(&metrics) >= 16);
    assert!(metrics.value("quintet_connections", &[]) <= 20);
    drop(idle);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_connections_stay_and_new_ones_are_refused() {
    let server = at_most(3).await;
    let mut busy = Vec::new();
    for count in 1..=3 {
        let wire = server.wire().await;
        let call = wire.send(CLASSIFY, &[], None).await.unwrap();
        busy.push((wire, call));
        let in_flight = |metrics: &Scrape| metrics.value("quintet_requests_in_flight", &[]);
        server
            .metrics_when(|metrics| in_flight(metrics) == count)
            .await;
    }
    while turned_away("new")(&server.metrics().await) == 0 {
        // Closed at once.
        let _ = TcpStream::connect(server.address()).await;
    }
    assert_eq!(server.page("/healthz").await.status, 200);
    for (wire, (response, mut body)) in busy {
        let good = grpc_message(&request(&[frame(1)]).encode_to_vec());
        body.send_data(good, true).unwrap();
        let reply = quintet_e2e::Reply::read(response).await.unwrap();
        assert_eq!(reply.code(), Code::Ok, "{reply:?}");
        drop(wire);
    }
    assert_works(&server).await;
}

#[tokio::test]
async fn connections_that_are_held_open_do_not_close_the_admin_port() {
    let server = at_most(4).await;
    let mut idle = Vec::new();
    for _ in 0..30 {
        idle.push(TcpStream::connect(server.admin_address()).await.unwrap());
    }
    assert_eq!(server.page("/healthz").await.status, 200);
    drop(idle);
}

#[tokio::test]
async fn admin_connections_of_one_address_do_not_end_those_of_another() {
    let server = server().model(tiny("digits")).start().await;
    let from = TcpSocket::new_v4().unwrap();
    from.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut patient = from.connect(server.admin_address()).await.unwrap();
    let mut flood = Vec::new();
    for _ in 0..30 {
        flood.push(TcpStream::connect(server.admin_address()).await.unwrap());
    }
    assert_eq!(server.page("/healthz").await.status, 200);
    let asked = b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    patient.write_all(asked).await.unwrap();
    let mut answer = String::new();
    patient.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_of_age_ends_between_its_requests() {
    let server = server()
        .model(tiny("digits"))
        .option("--max-connection-age", "1s")
        .start()
        .await;
    let wire = server.wire().await;
    let asked = request(&[frame(1)]);
    // Every request that the server takes is answered.
    while let Ok(reply) = wire.classify(&[], &asked).await {
        assert_eq!(reply.code(), Code::Ok);
    }
    let mut client = server.raw().await;
    for _ in 0..50 {
        client.classify(request(&[frame(1)])).await.unwrap();
    }
}

/// A request of some sixty kilobytes that waits for others to make a batch.
async fn large(wire: &Wire) -> quintet_e2e::Reply {
    let reply = wire.classify(&[], &large_request()).await;
    reply.expect("the connection stays")
}

fn large_request() -> v1::ClassifyRequest {
    let frames: Vec<_> = (0..75).map(|row| frame(row % 10)).collect();
    request(&frames)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_beyond_the_bytes_in_flight_are_refused_early() {
    let server = server()
        .model(tiny("digits"))
        .max_batch_size(512)
        .max_queue_delay("1h")
        .max_message_size(100_000)
        .option("--max-bytes-in-flight", "100000")
        .start()
        .await;
    let wire = server.wire().await;
    let body = grpc_message(&large_request().encode_to_vec());
    let waiting = wire.send(CLASSIFY, &[], Some(body.clone())).await.unwrap();
    let in_flight = |metrics: &Scrape| metrics.value("quintet_bytes_in_flight", &[]);
    // Its bytes count as they arrive, so a scrape may see a part of them.
    let size = body.len() as u64;
    server
        .metrics_when(|metrics| in_flight(metrics) == size)
        .await;

    let refused = large(&wire).await;
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    assert!(
        refused
            .status
            .message()
            .contains("of at most 100000 bytes (max_bytes_in_flight)")
    );
    assert!(refused.status.get_error_details().retry_info().is_some());
    // There is room for a small one, which is refused for what it is.
    let small = v1::ClassifyRequest {
        images: vec![encoded(vec![1; 100])],
        ..Default::default()
    };
    let small = wire.classify(&[], &small).await.unwrap();
    assert_eq!(small.code(), Code::InvalidArgument, "{small:?}");
    drop(waiting);
    server.metrics_when(|metrics| in_flight(metrics) == 0).await;
}

/// The bytes of a message are given back, whatever becomes of it, on a stream too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_byte_stays_in_flight() {
    let server = server()
        .model(tiny("digits"))
        .option("--max-bytes-in-flight", "20000000")
        .start()
        .await;
    let wire = server.wire().await;
    let body = grpc_message(&large_request().encode_to_vec());
    for cut in [body.len(), body.len() - 1, 5, 3] {
        wire.call(CLASSIFY, &[], body.slice(..cut)).await.unwrap();
        let path = "/quintet.v1.InferenceService/ClassifyStream";
        wire.call(path, &[], body.slice(..cut)).await.unwrap();
        let (response, mut open) = wire.send(path, &[], None).await.unwrap();
        open.send_data(body.slice(..cut), false).unwrap();
        open.send_reset(h2::Reason::CANCEL);
        drop(response);
    }
    let in_flight = |metrics: &Scrape| metrics.value("quintet_bytes_in_flight", &[]);
    server.metrics_when(|metrics| in_flight(metrics) == 0).await;
    assert_works(&server).await;
}
