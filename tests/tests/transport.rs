//! What honest clients send that HTTP/2 servers are known to refuse, and callers who do not read.

use bytes::Bytes;
use prost::Message as _;
use quintet_e2e::{Reply, Server, frame, grpc_message, server, tiny};
use quintet_proto::v1;
use tonic::Code;

use crate::support::{assert_works, request};

const CLASSIFY: &str = "/quintet.v1.InferenceService/Classify";
const CLASSIFY_STREAM: &str = "/quintet.v1.InferenceService/ClassifyStream";

async fn digits() -> Server {
    server().model(tiny("digits")).start().await
}

/// Sends `count` small messages on one stream, each in a frame of its own, as fast as flow control
/// allows.
async fn write_fast(stream: &mut h2::SendStream<Bytes>, count: u64) {
    for index in 0..count {
        let message = v1::ClassifyStreamRequest {
            index,
            request: None,
        };
        let message = grpc_message(&message.encode_to_vec());
        stream.reserve_capacity(message.len());
        while stream.capacity() < message.len() {
            let granted = std::future::poll_fn(|context| stream.poll_capacity(context)).await;
            granted
                .expect("the stream is open")
                .expect("the stream is open");
        }
        stream.send_data(message, false).expect("there is room");
    }
    stream
        .send_data(Bytes::new(), true)
        .expect("the stream is open");
}

/// As grpc-go does: nothing is read until all is written. Each message is refused by an answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_messages_may_be_written_fast() {
    const COUNT: u64 = 40_000;
    let server = digits().await;
    let wire = server.wire().await;
    let (response, mut stream) = wire.send(CLASSIFY_STREAM, &[], None).await.unwrap();
    write_fast(&mut stream, COUNT).await;
    let reply = Reply::read(response).await.unwrap();
    assert_eq!(reply.code(), Code::Ok, "{:?}", reply.status);
    let (mut rest, mut answers) = (&reply.body[..], 0);
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize;
        rest = &rest[5 + length..];
        answers += 1;
    }
    assert_eq!(answers, COUNT);
}

/// gRPC's C core names all addresses of a target in `:authority`.
#[tokio::test]
async fn an_authority_may_name_several_addresses() {
    let server = digits().await;
    for authority in [
        "127.0.0.1:1,127.0.0.1:2",
        "[::1]:1,[::1]:2",
        "127.0.0.1%3A1,127.0.0.1%3A2",
        "%5B::1%5D:50051",
        "[::1]:1",
        "quintet",
    ] {
        let reply = quintet_e2e::call_as(&server, authority, CLASSIFY, &request(&[frame(1)])).await;
        assert_eq!(reply, "0", "{authority}");
    }
}

/// The caller's window is full, so no answer can be sent. The stream ends at its deadline all the
/// same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_not_read_ends_at_its_deadline() {
    let server = digits().await;
    let wire = server.wire().await;
    let headers = [("grpc-timeout", "300m")];
    let (response, mut stream) = wire.send(CLASSIFY_STREAM, &headers, None).await.unwrap();
    let writing = tokio::spawn(async move {
        // More answers than the window of 1 MiB takes. The deadline ends the writing.
        let message = v1::ClassifyStreamRequest::default();
        let message = grpc_message(&message.encode_to_vec());
        loop {
            stream.reserve_capacity(message.len());
            let granted = std::future::poll_fn(|context| stream.poll_capacity(context)).await;
            if !matches!(granted, Some(Ok(_))) || stream.send_data(message.clone(), false).is_err()
            {
                break;
            }
        }
    });
    let labels = [
        ("rpc", CLASSIFY_STREAM),
        ("model", ""),
        ("code", "DEADLINE_EXCEEDED"),
    ];
    server
        .metrics_when(|metrics| metrics.value("quintet_requests_total", &labels) == 1)
        .await;
    let reply = Reply::read(response).await.unwrap();
    assert_eq!(reply.code(), Code::DeadlineExceeded, "{:?}", reply.status);
    drop(writing);
    assert_works(&server).await;
}

/// A peer that has asked once and has gone without a word, and one that does not read its answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_only_have_to_read_do_not_hold_up_a_shutdown() {
    let server = server()
        .model(tiny("digits"))
        .shutdown_timeout("1h")
        .start()
        .await;
    let asked = request(&[frame(1)]);
    let gone = quintet_e2e::SilentPeer::ask(&server, CLASSIFY, &asked, u16::MAX).await;
    let unread = quintet_e2e::SilentPeer::ask(&server, CLASSIFY, &asked, 0).await;
    let answered = |metrics: &quintet_e2e::Scrape| {
        let labels = [("rpc", CLASSIFY), ("model", "digits"), ("code", "OK")];
        metrics.value("quintet_requests_total", &labels) == 2
    };
    server.metrics_when(answered).await;
    server.shutdown();
    assert_eq!(server.stopped().await, 0);
    drop((gone, unread));
}
