//! Hostile or faulty clients. Other connections must not be affected.

use bytes::Bytes;
use prost::Message as _;
use quintet_e2e::{Server, frame, grpc_message, server, tiny};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::Code;

use crate::support::{assert_works, request};

const CLASSIFY: &str = "/quintet.v1.InferenceService/Classify";

async fn digits() -> Server {
    server().model(tiny("digits")).start().await
}

fn good() -> Bytes {
    grpc_message(&request(&[frame(1)]).encode_to_vec())
}

/// Sends bytes on a connection of their own and waits until the server ends it.
async fn shout(server: &Server, bytes: &[u8]) {
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("the server listens");
    // The server may close it meanwhile.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn other_protocols_on_the_grpc_port() {
    let server = digits().await;
    shout(&server, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    shout(&server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await;
    shout(&server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    shout(
        &server,
        &[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &[0xff; 500]].concat(),
    )
    .await;
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..50 {
        let noise: Vec<u8> = (0..200).map(|_| random.u8(..)).collect();
        shout(&server, &noise).await;
    }
    assert_works(&server).await;
}

#[tokio::test]
async fn plain_http_on_the_grpc_port_is_no_grpc_answer() {
    let server = digits().await;
    let wire = server.wire().await;
    for content_type in ["text/html", "application/json", ""] {
        let (response, _) = wire
            .send_as(content_type, CLASSIFY, &[], Some(good()))
            .await
            .unwrap();
        let reply = quintet_e2e::Reply::read(response).await.unwrap();
        assert!(
            reply.http == 415 && reply.code() != Code::Ok,
            "{content_type}: {reply:?}"
        );
    }
    assert_works(&server).await;
}

/// Every way to break gRPC's framing. None is a fault of the server.
#[tokio::test]
async fn broken_framing_is_the_callers_error() {
    let server = digits().await;
    let wire = server.wire().await;
    let full = good();
    for (what, body) in [
        ("no body", Bytes::new()),
        ("half a prefix", full.slice(..3)),
        ("a prefix without its message", full.slice(..5)),
        ("half a message", full.slice(..full.len() / 2)),
        ("an unknown flag", Bytes::from([&[7], &full[1..]].concat())),
        ("no protobuf", grpc_message(&[0xff; 40])),
        ("a group that never ends", grpc_message(&[0x0b; 2000])),
    ] {
        let reply = wire.call(CLASSIFY, &[], body).await;
        let reply = reply.unwrap_or_else(|error| panic!("{what}: {error}"));
        let allowed = [Code::InvalidArgument, Code::Unimplemented];
        assert!(
            allowed.contains(&reply.code()),
            "{what}: {:?}",
            reply.status
        );
        assert!(!reply.status.message().is_empty(), "{what}");
    }
    assert_works(&server).await;
}

/// As gRPC's "Compression" specification says, for every kind of call.
#[tokio::test]
async fn an_unknown_compression_is_unimplemented() {
    let server = digits().await;
    let wire = server.wire().await;
    for path in [
        CLASSIFY,
        "/quintet.v1.InferenceService/ClassifyStream",
        "/quintet.v1.InferenceService/SentimentScore",
        "/quintet.v1.InferenceService/GenerateDigits",
        "/quintet.v1.InferenceService/GenerateDigitsStream",
        "/quintet.v1.InferenceService/ListModels",
        "/inference.GRPCInferenceService/ModelInfer",
        "/inference.GRPCInferenceService/ModelStreamInfer",
        "/inference.GRPCInferenceService/ServerLive",
        "/grpc.health.v1.Health/Check",
    ] {
        let headers = [("grpc-encoding", "lzma")];
        let reply = wire.call(path, &headers, good()).await.unwrap();
        assert_eq!(reply.code(), Code::Unimplemented, "{path}");
        assert_eq!(
            reply.status.message(),
            "grpc-encoding: is `lzma`; the server takes identity,deflate,gzip"
        );
        let offered = &reply.headers["grpc-accept-encoding"];
        assert_eq!(offered, "identity,deflate,gzip");
        assert_eq!(reply.headers["content-type"], "application/grpc");
        assert!(reply.headers.contains_key("x-request-id"), "{path}");
    }
}

/// Two bytes an image, four million of them, in a message that is not too large. Neither the
/// decoder nor the list of what is wrong may make gigabytes of it.
#[tokio::test]
async fn a_list_of_millions_of_nothings_is_counted_and_refused() {
    let server = digits().await;
    let wire = server.wire().await;
    let empty_image = [0x0a, 0];
    for count in [300, 60_000, 4_000_000] {
        let list = empty_image.repeat(count);
        let reply = wire.call(CLASSIFY, &[], grpc_message(&list)).await.unwrap();
        assert_eq!(reply.code(), Code::InvalidArgument, "{count}");
        let message = reply.status.message();
        assert!(message.contains("are allowed"), "{message}");
        assert!(message.len() < 200, "{message}");
    }
    // The most images that are allowed: the first violations are listed.
    let reply = wire
        .call(CLASSIFY, &[], grpc_message(&empty_image.repeat(200)))
        .await;
    let reply = reply.unwrap();
    assert_eq!(reply.code(), Code::InvalidArgument);
    assert!(reply.status.message().contains("has 184 more violations"));
    assert_works(&server).await;
}

/// A message of 4 GiB, as its prefix says. It must be refused before memory is allocated for it.
#[tokio::test]
async fn a_prefix_that_promises_too_much_is_refused() {
    let server = digits().await;
    let wire = server.wire().await;
    let body = Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff, 1]);
    let reply = wire.call(CLASSIFY, &[], body).await.unwrap();
    assert_eq!(reply.code(), Code::InvalidArgument, "{:?}", reply.status);
    assert!(
        reply.status.message().contains("max_message_size"),
        "{:?}",
        reply.status
    );
}

#[tokio::test]
async fn a_flood_of_headers_is_refused_and_others_do_not_notice() {
    let server = digits().await;
    let wire = server.wire().await;
    let value = "x".repeat(4_000);
    let names: Vec<String> = (0..100).map(|index| format!("x-flood-{index}")).collect();
    let headers: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), value.as_str()))
        .collect();
    // The server may also close the connection.
    if let Ok(reply) = wire.call(CLASSIFY, &headers, good()).await {
        assert!(reply.http == 431 || reply.code() != Code::Ok, "{reply:?}");
    }
    assert_works(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_at_once() {
    let server = digits().await;
    let mut silent = Vec::new();
    for _ in 0..500 {
        silent.push(TcpStream::connect(server.address()).await.unwrap());
    }
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let wire = server.wire().await;
        calls.spawn(async move { wire.call(CLASSIFY, &[], good()).await });
    }
    while let Some(reply) = calls.join_next().await {
        assert_eq!(reply.unwrap().unwrap().code(), Code::Ok);
    }
    drop(silent);
    assert_works(&server).await;
}

/// Requests whose bodies never arrive do not affect others, and are freed when their senders
/// disconnect.
#[tokio::test]
async fn requests_without_an_end_do_not_hold_others_up() {
    let server = digits().await;
    let wire = server.wire().await;
    let mut open = Vec::new();
    for _ in 0..200 {
        let (response, mut body) = wire.send(CLASSIFY, &[], None).await.unwrap();
        body.send_data(good().slice(..7), false).unwrap();
        open.push((response, body));
    }
    assert_works(&server).await;
    drop(open);
    drop(wire);
    server
        .metrics_when(|metrics| metrics.value("quintet_requests_in_flight", &[]) == 0)
        .await;
}

/// Thousands of calls, each cancelled at once, over one connection that another caller shares.
/// HTTP/2 allows the server to close that connection against floods. Other connections must not be
/// affected.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_cancellations_leaves_nothing_behind() {
    let server = server()
        .model(tiny("digits").slow())
        .max_batch_size(4)
        .start()
        .await;
    let client = server.raw().await;
    for _ in 0..50 {
        let mut calls = JoinSet::new();
        for class in 0..10 {
            let mut client = client.clone();
            calls.spawn(async move { client.classify(request(&[frame(class)])).await });
        }
        tokio::task::yield_now().await;
        drop(calls);
    }
    server.queued("digits", 0).await;
    server
        .metrics_when(|metrics| metrics.value("quintet_requests_in_flight", &[]) == 0)
        .await;
    assert_works(&server).await;
    let mut client = client;
    client
        .classify(request(&[frame(1)]))
        .await
        .expect("a client that cancels much can still call");
}

#[tokio::test]
async fn the_http_side_bears_nonsense() {
    let server = digits().await;
    for path in [
        "/",
        "/metrics/../etc/passwd",
        "/%00",
        "/readyz?x=1",
        "/nobody",
    ] {
        let page = server.page(path).await;
        assert!([200, 404].contains(&page.status), "{path}: {page:?}");
    }
    let mut stream = TcpStream::connect(server.admin_address()).await.unwrap();
    stream.write_all(b"\0\xff nonsense\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
    assert_eq!(server.page("/readyz").await.status, 200);
}

/// A caller that sends many requests and reads nothing: HTTP/2's flow control holds its responses
/// back, and all others are served.
#[tokio::test]
async fn answers_that_nobody_reads_do_not_hold_others_up() {
    let server = server()
        .model(tiny("digits"))
        .max_queue_size(30 * 200)
        .start()
        .await;
    let frames: Vec<_> = (0..200).map(|row| frame(row % 10)).collect();
    let body = grpc_message(&request(&frames).encode_to_vec());
    let wire = server.wire().await;
    let mut unread = Vec::new();
    for _ in 0..30 {
        unread.push(wire.send(CLASSIFY, &[], Some(body.clone())).await.unwrap());
    }
    let answered = |metrics: &quintet_e2e::Scrape| {
        let labels = [("rpc", CLASSIFY), ("model", "digits"), ("code", "OK")];
        metrics.value("quintet_requests_total", &labels) >= 30
    };
    server.metrics_when(answered).await;
    assert_works(&server).await;
    drop(unread);
}

/// One stream opened and reset after the other, as fast as the connection takes them
/// (CVE-2023-44487). The server may end that connection; it must not run what was reset, nor starve
/// others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rapid_resets_do_not_hold_others_up() {
    let server = digits().await;
    let wire = server.wire().await;
    for _ in 0..5_000 {
        let Ok((response, mut body)) = wire.send(CLASSIFY, &[], None).await else {
            break;
        };
        body.send_reset(h2::Reason::CANCEL);
        drop(response);
    }
    assert_works(&server).await;
    drop(wire);
    let in_flight =
        |metrics: &quintet_e2e::Scrape| metrics.value("quintet_requests_in_flight", &[]);
    server.metrics_when(|metrics| in_flight(metrics) == 0).await;
}

/// A request whose pictures take long to decode: sound PNG files, tiny to send, sixteen million
/// pixels each, and as many of them as one request may hold. Its deadline must end the work as well
/// as the wait, or a few such requests take the decoders from everybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_that_take_long_to_decode_do_not_hold_others_up() {
    let server = digits().await;
    let wire = server.wire().await;
    let large = quintet_e2e::png(&image::GrayImage::new(4096, 4096));
    assert!(large.len() < 100_000, "{} bytes", large.len());
    let heavy = |count: usize| quintet_proto::v1::ClassifyRequest {
        images: vec![crate::support::encoded(large.clone()); count],
        ..Default::default()
    };
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let (wire, asked) = (wire.clone(), heavy(4));
        callers.spawn(async move { wire.classify(&[("grpc-timeout", "50m")], &asked).await });
    }
    while let Some(reply) = callers.join_next().await {
        let reply = reply.unwrap().unwrap();
        assert_eq!(reply.code(), Code::DeadlineExceeded, "{:?}", reply.status);
    }
    // All have ended. Now a single large image, which needs a decoder thread, must be served.
    let reply = wire
        .classify(&[("grpc-timeout", "10S")], &heavy(1))
        .await
        .unwrap();
    assert_eq!(reply.code(), Code::Ok, "{:?}", reply.status);
}
