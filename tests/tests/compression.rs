//! Compressed messages, as gRPC's "Compression" specification has them.

use std::io::{Read, Write as _};

use bytes::Bytes;
use flate2::Compression as Level;
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use prost::Message;
use quintet_client::Compression;
use quintet_e2e::{Frame, Reply, Server, ServerBuilder, frame, grpc_message, server, tiny};
use quintet_proto::inference as oip;
use quintet_proto::inference::model_infer_request::InferInputTensor;
use quintet_proto::v1;
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use crate::support::{assert_answers, assert_sdk_answers, request, sdk_request};

const CLASSIFY: &str = "/quintet.v1.InferenceService/Classify";
const CLASSIFY_STREAM: &str = "/quintet.v1.InferenceService/ClassifyStream";
const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";
const INFER_STREAM: &str = "/inference.GRPCInferenceService/ModelStreamInfer";
const ENCODINGS: [&str; 2] = ["gzip", "deflate"];

fn digits() -> ServerBuilder {
    server().model(tiny("digits"))
}

/// A message as a caller of this encoding frames it.
fn compressed(encoding: &str, message: &[u8]) -> Bytes {
    let level = Level::default();
    let bytes = if encoding == "gzip" {
        let mut encoder = GzEncoder::new(Vec::new(), level);
        encoder.write_all(message).expect("memory is written");
        encoder.finish().expect("memory is written")
    } else {
        let mut encoder = ZlibEncoder::new(Vec::new(), level);
        encoder.write_all(message).expect("memory is written");
        encoder.finish().expect("memory is written")
    };
    let mut framed = grpc_message(&bytes).to_vec();
    framed[0] = 1;
    framed.into()
}

/// The messages of a body, and whether each was compressed.
fn messages<M: Message + Default>(reply: &Reply) -> Vec<(bool, M)> {
    assert_eq!(reply.code(), Code::Ok, "{:?}", reply.status);
    let encoding = reply.headers.get("grpc-encoding");
    let (mut rest, mut messages) = (&reply.body[..], Vec::new());
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[1..5].try_into().expect("four bytes")) as usize;
        let (flag, message) = (rest[0], &rest[5..5 + length]);
        rest = &rest[5 + length..];
        let mut whole = Vec::new();
        let size = match (flag, encoding.map(|it| it.to_str().expect("ASCII"))) {
            (0, _) => Read::read_to_end(&mut &*message, &mut whole),
            (1, Some("gzip")) => GzDecoder::new(message).read_to_end(&mut whole),
            (1, Some("deflate")) => ZlibDecoder::new(message).read_to_end(&mut whole),
            other => panic!("{other:?}"),
        };
        size.expect("a whole message");
        messages.push((flag == 1, M::decode(&whole[..]).expect("a message")));
    }
    messages
}

fn frames(count: usize) -> Vec<Frame> {
    (0..count).map(|index| frame((index % 10) as u8)).collect()
}

fn infer(frames: &[Frame]) -> oip::ModelInferRequest {
    let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.0.clone()).collect();
    oip::ModelInferRequest {
        model_name: "digits".to_owned(),
        inputs: vec![InferInputTensor {
            name: "pixels".to_owned(),
            datatype: "UINT8".to_owned(),
            shape: vec![frames.len() as i64, 28, 28],
            ..Default::default()
        }],
        raw_input_contents: vec![bytes.into()],
        ..Default::default()
    }
}

async fn in_flight(server: &Server) -> u64 {
    server.metrics().await.value("quintet_bytes_in_flight", &[])
}

#[tokio::test]
async fn a_call_is_answered_in_its_compression() {
    let server = digits().start().await;
    let wire = server.wire().await;
    for encoding in ENCODINGS {
        let headers = [
            ("grpc-encoding", encoding),
            ("grpc-accept-encoding", encoding),
        ];
        // The last is decompressed beside the I/O threads.
        for (count, is_compressed) in [(1, false), (30, true), (250, true)] {
            let frames = frames(count);
            let body = compressed(encoding, &request(&frames).encode_to_vec());
            let reply = wire.call(CLASSIFY, &headers, body).await.unwrap();
            let answers = messages::<v1::ClassifyResponse>(&reply);
            assert_answers(&answers[0].1, &frames);
            assert_eq!((answers.len(), answers[0].0), (1, is_compressed), "{count}");

            let body = compressed(encoding, &infer(&frames).encode_to_vec());
            let reply = wire.call(INFER, &headers, body).await.unwrap();
            let answers = messages::<oip::ModelInferResponse>(&reply);
            assert_eq!(answers[0].1.outputs[0].shape, [count as i64, 10]);
            assert_eq!(answers[0].0, is_compressed, "{count}");
        }
        // The flag is each message's own.
        let body = grpc_message(&request(&frames(2)).encode_to_vec());
        let reply = wire.call(CLASSIFY, &headers, body).await.unwrap();
        assert_answers(&messages(&reply)[0].1, &frames(2));
    }
    assert_eq!(in_flight(&server).await, 0);
}

#[tokio::test]
async fn messages_of_streams_are_compressed_one_by_one() {
    let server = digits().start().await;
    let wire = server.wire().await;
    for encoding in ENCODINGS {
        let headers = [("grpc-encoding", encoding)];
        let counts = [1, 40, 200, 3];
        let body: Vec<u8> = (0..)
            .zip(counts)
            .flat_map(|(index, count)| {
                let request = Some(request(&frames(count)));
                let message = v1::ClassifyStreamRequest { index, request }.encode_to_vec();
                match count {
                    3 => grpc_message(&message),
                    _ => compressed(encoding, &message),
                }
            })
            .collect();
        let reply = wire
            .call(CLASSIFY_STREAM, &headers, body.into())
            .await
            .unwrap();
        let answers = messages::<v1::ClassifyStreamResponse>(&reply);
        assert_eq!(answers.len(), counts.len());
        for (is_compressed, answer) in answers {
            let Some(v1::classify_stream_response::Result::Response(reply)) = answer.result else {
                panic!("{answer:?}");
            };
            let count = counts[answer.index as usize];
            assert_answers(&reply, &frames(count));
            assert_eq!(is_compressed, count >= 40);
        }

        let body: Vec<u8> = counts
            .iter()
            .flat_map(|count| compressed(encoding, &infer(&frames(*count)).encode_to_vec()))
            .collect();
        let reply = wire
            .call(INFER_STREAM, &headers, body.into())
            .await
            .unwrap();
        let answers = messages::<oip::ModelStreamInferResponse>(&reply);
        let rows: Vec<_> = answers
            .iter()
            .map(|(is_compressed, answer)| {
                let answer = answer.infer_response.as_ref().unwrap();
                (*is_compressed, answer.outputs[0].shape[0])
            })
            .collect();
        assert_eq!(rows, [(false, 1), (true, 40), (true, 200), (false, 3)]);
    }
    assert_eq!(in_flight(&server).await, 0);
}

#[tokio::test]
async fn health_and_reflection_take_compressed_messages() {
    let server = digits().start().await;
    let wire = server.wire().await;
    for encoding in ENCODINGS {
        let headers = [("grpc-encoding", encoding)];
        let body = compressed(
            encoding,
            &HealthCheckRequest {
                service: "digits".into(),
            }
            .encode_to_vec(),
        );
        let reply = wire
            .call("/grpc.health.v1.Health/Check", &headers, body)
            .await
            .unwrap();
        assert_eq!(messages::<HealthCheckResponse>(&reply)[0].1.status, 1);
        let ask = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let body = compressed(encoding, &ask.encode_to_vec());
        let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        let reply = wire.call(path, &headers, body).await.unwrap();
        assert_eq!(messages::<ServerReflectionResponse>(&reply).len(), 1);
    }
}

/// The request's compression, what the caller accepts, and the answer's.
type Case = (
    Option<&'static str>,
    Option<&'static str>,
    Option<&'static str>,
);

#[tokio::test]
async fn an_option_says_whose_answers_are_compressed() {
    let cases: [(&str, &[Case]); 3] = [
        (
            "requested",
            &[
                (None, Some("gzip"), None),
                (Some("gzip"), Some("identity"), None),
                (Some("gzip"), None, Some("gzip")),
            ],
        ),
        (
            "accepted",
            &[
                (None, None, None),
                (None, Some("identity, deflate, gzip"), Some("gzip")),
                (
                    Some("deflate"),
                    Some("identity,deflate,gzip"),
                    Some("deflate"),
                ),
            ],
        ),
        ("never", &[(Some("gzip"), Some("gzip"), None)]),
    ];
    for (option, cases) in cases {
        let server = digits()
            .option("--response-compression", option)
            .start()
            .await;
        let wire = server.wire().await;
        for (encoding, accepted, expected) in cases {
            let named = [
                ("grpc-encoding", *encoding),
                ("grpc-accept-encoding", *accepted),
            ];
            let headers: Vec<_> = named
                .iter()
                .filter_map(|(name, value)| Some((*name, (*value)?)))
                .collect();
            let message = request(&frames(30)).encode_to_vec();
            let body =
                encoding.map_or_else(|| grpc_message(&message), |it| compressed(it, &message));
            let reply = wire.call(CLASSIFY, &headers, body).await.unwrap();
            assert_answers(&messages(&reply)[0].1, &frames(30));
            let given = reply
                .headers
                .get("grpc-encoding")
                .map(|it| it.to_str().unwrap());
            assert_eq!(given, *expected, "{option}: {headers:?}");
            assert_eq!(reply.body[0] == 1, expected.is_some());
        }
    }
}

#[tokio::test]
async fn a_compressed_message_without_an_encoding_is_internal() {
    let server = digits().start().await;
    let wire = server.wire().await;
    let message = request(&frames(1)).encode_to_vec();
    for headers in [&[][..], &[("grpc-encoding", "identity")]] {
        for path in [CLASSIFY, CLASSIFY_STREAM] {
            let reply = wire
                .call(path, headers, compressed("gzip", &message))
                .await
                .unwrap();
            assert_eq!(reply.code(), Code::Internal, "{:?}", reply.status);
            assert!(
                reply.status.message().contains("compression flag"),
                "{:?}",
                reply.status
            );
        }
    }
}

#[tokio::test]
async fn bombs_and_broken_messages_are_refused_and_leave_nothing() {
    let server = digits().max_message_size(4 << 20).start().await;
    let wire = server.wire().await;
    // One byte in `step` is not blank.
    let large = |bytes: usize, step: usize| {
        let mut file = vec![0; bytes];
        file.iter_mut()
            .step_by(step)
            .for_each(|byte| *byte = fastrand::u8(..));
        let mut request = request(&frames(1));
        request.images[0] = crate::support::encoded(file);
        request.encode_to_vec()
    };
    for encoding in ENCODINGS {
        let headers = [("grpc-encoding", encoding)];
        let good = compressed(encoding, &request(&frames(40)).encode_to_vec());
        let half = good.len() / 2;
        let broken = [&good[..half], &[0xff; 50], &good[half + 50..]].concat();
        let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
            .take(5 << 20)
            .collect();
        for (what, body, words) in [
            (
                "larger than is allowed",
                compressed(encoding, &large(5 << 20, 16)),
                "at most 4194304 bytes",
            ),
            (
                "too dense",
                compressed(encoding, &large(3 << 20, usize::MAX)),
                "without compression",
            ),
            (
                "large itself",
                compressed(encoding, &noise),
                "at most 4194304 bytes",
            ),
            ("broken", broken.into(), "cannot be decompressed"),
            (
                "no protobuf",
                compressed(encoding, &[0xff; 3000]),
                "cannot be read",
            ),
        ] {
            let reply = wire.call(CLASSIFY, &headers, body.clone()).await.unwrap();
            let status = &reply.status;
            assert_eq!(reply.code(), Code::InvalidArgument, "{what}: {status:?}");
            assert!(status.message().contains(words), "{what}: {status:?}");
            let reply = wire.call(CLASSIFY_STREAM, &headers, body).await.unwrap();
            assert_eq!(
                reply.code(),
                Code::InvalidArgument,
                "{what}: {:?}",
                reply.status
            );
        }
    }
    assert_eq!(in_flight(&server).await, 0);
}

#[tokio::test]
async fn what_becomes_of_a_message_counts_in_the_budget() {
    let server = digits()
        .max_message_size(1 << 20)
        .option("--max-bytes-in-flight", (1 << 20).to_string())
        .start()
        .await;
    let wire = server.wire().await;
    // One request of which half the budget has come.
    let (_response, mut stream) = wire.send(CLASSIFY, &[], None).await.unwrap();
    let mut part = grpc_message(&vec![0; 900_000]);
    stream.send_data(part.split_to(600_000), false).unwrap();
    server
        .metrics_when(|metrics| metrics.value("quintet_bytes_in_flight", &[]) >= 600_000)
        .await;
    let headers = [("grpc-encoding", "gzip")];
    let message = infer(&frames(800)).encode_to_vec();
    let body = compressed("gzip", &message);
    assert!(body.len() < 50_000 && message.len() > 600_000);
    let reply = wire.call(INFER, &headers, body).await.unwrap();
    assert_eq!(reply.code(), Code::ResourceExhausted, "{:?}", reply.status);
    assert!(reply.status.message().contains("max_bytes_in_flight"));
}

#[tokio::test]
async fn the_sdk_compresses() {
    let server = digits().start().await;
    let client = quintet_client::Client::builder(server.url())
        .compression(Compression::Gzip)
        .connect()
        .await
        .unwrap();
    for count in [1, 200] {
        let frames = frames(count);
        let answer = client.classify(sdk_request(&frames)).await.unwrap();
        assert_sdk_answers(&answer, &frames);
    }
    let requests = (0..20).map(|index| sdk_request(&frames(index + 1)));
    let requests: Vec<_> = requests.collect();
    let mut answers = client.classify_stream(tokio_stream::iter(requests));
    let mut seen = 0;
    while let Some((index, answer)) = answers.next().await {
        assert_sdk_answers(&answer.unwrap(), &frames(index + 1));
        seen += 1;
    }
    assert_eq!(seen, 20);
}
