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

fn request_message() -> Vec<u8> {
    request(&[frame(1)]).encode_to_vec()
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

#[tokio::test]
async fn other_methods_and_protocols_are_refused_in_http() {
    let server = digits().await;
    let wire = server.wire().await;
    for (method, content_type, http) in [
        ("GET", "application/grpc", 405),
        ("HEAD", "", 405),
        ("FOO", "application/grpc", 405),
        ("POST", "application/grpc-web+proto", 415),
        ("POST", "application/grpc-web-text", 415),
        ("POST", "application/grpcfoo", 415),
        ("POST", "application/grpc+json", 415),
        ("POST", "application/grpc+proto", 200),
    ] {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{CLASSIFY}", server.url()))
            .header("content-type", content_type)
            .body(())
            .unwrap();
        let good = grpc_message(&request_message());
        let (response, _stream) = wire.send_request(request, Some(good)).await.unwrap();
        let reply = Reply::read(response).await.unwrap();
        assert_eq!(reply.http, http, "{method} {content_type}: {reply:?}");
        let allowed = reply.headers.get("allow").is_some_and(|it| it == "POST");
        assert_eq!(allowed, http == 405);
        assert_eq!(reply.code() == Code::Ok, http == 200);
    }
}

#[tokio::test]
async fn a_refusal_says_what_is_offered() {
    let server = digits().await;
    let wire = server.wire().await;
    for (path, words) in [
        (
            "/inference.GRPCInferenceService/RepositoryModelLoad",
            "service `inference.GRPCInferenceService` has no method `RepositoryModelLoad`; it has \
             ModelInfer, ModelStreamInfer, ServerLive",
        ),
        (
            "/tensorflow.serving/Predict",
            "there is no service `tensorflow.serving`; there is ",
        ),
    ] {
        let reply = wire.call(path, &[], Bytes::new()).await.unwrap();
        assert_eq!(reply.code(), Code::Unimplemented, "{path}");
        assert!(
            reply.status.message().starts_with(words),
            "{:?}",
            reply.status
        );
    }
}

/// A header list of 256 KiB, counted as HTTP/2 does, is refused by h2 itself, which speaks no gRPC.
#[tokio::test]
async fn metadata_that_is_too_large_is_refused_with_the_bound() {
    let server = digits().await;
    let wire = server.wire().await;
    let call = async |size| {
        let value = "x".repeat(size);
        let good = grpc_message(&request_message());
        wire.call(CLASSIFY, &[("x-token", &value)], good)
            .await
            .unwrap()
    };
    // The other fields of the request, its path and authority among them, count for the rest.
    for size in [16_384, 70_000, 200_000] {
        let reply = call(size).await;
        assert_eq!((reply.http, reply.code()), (200, Code::ResourceExhausted));
        let words = reply.status.message();
        assert!(words.contains("at most 16384 are allowed"), "{words}");
    }
    assert_eq!(call(262_144 - 32).await.http, 431);
    assert_eq!(call(15_000).await.code(), Code::Ok);
    assert_works(&server).await;
}

/// In headers, which flow control does not bound.
#[tokio::test]
async fn what_a_caller_names_is_repeated_in_part() {
    let server = digits().await;
    let wire = server.wire().await;
    let long = "x".repeat(1_000_000);
    let request = v1::ClassifyRequest {
        model: long.clone(),
        ..request(&[frame(1)])
    };
    let infer = quintet_proto::inference::ModelInferRequest {
        model_name: "digits".into(),
        inputs: vec![
            quintet_proto::inference::model_infer_request::InferInputTensor {
                name: long.clone(),
                ..Default::default()
            };
            3
        ],
        ..Default::default()
    };
    for (path, message) in [
        (CLASSIFY, request.encode_to_vec()),
        (
            "/inference.GRPCInferenceService/ModelInfer",
            infer.encode_to_vec(),
        ),
        ("/grpc.health.v1.Health/Check", {
            tonic_health::pb::HealthCheckRequest { service: long }.encode_to_vec()
        }),
    ] {
        let reply = wire.call(path, &[], grpc_message(&message)).await.unwrap();
        assert_ne!(reply.code(), Code::Ok, "{path}");
        let message = reply.status.message();
        assert!(message.len() < 1000, "{path}: {} bytes", message.len());
    }
}

/// Millions of empty strings within one tensor: the decoder would make half a gigabyte of them.
#[tokio::test]
async fn lists_are_counted_at_every_level() {
    let server = digits().await;
    let wire = server.wire().await;
    let contents = [0x42, 0].repeat(7_000_000);
    let nested = |field: u8, inner: Vec<u8>| {
        let mut message = vec![field << 3 | 2];
        prost::encoding::encode_varint(inner.len() as u64, &mut message);
        [message, inner].concat()
    };
    let request = nested(5, nested(5, contents));
    let path = "/inference.GRPCInferenceService/ModelInfer";
    let reply = wire.call(path, &[], grpc_message(&request)).await.unwrap();
    assert_eq!(reply.code(), Code::InvalidArgument);
    let words = "request: has too many fields; at most 65536 are allowed";
    assert_eq!(reply.status.message(), words);
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
