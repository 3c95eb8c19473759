//! GenerateDigitsStream: the same images, generated as fast as they are read, and a clear end.

use prost::Message as _;
use quintet_e2e::{Scrape, Server, grpc_message, server, tiny, tiny_generator};
use quintet_proto::v1;
use tokio::task::JoinSet;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::generate::{asked, assert_same, generate, with_models};

pub(crate) const STREAM: &str = "/quintet.v1.InferenceService/GenerateDigitsStream";

/// All messages of a stream.
pub(crate) async fn stream(
    server: &Server,
    request: v1::GenerateDigitsRequest,
) -> Result<Vec<v1::GenerateDigitsResponse>, Status> {
    let answers = server.raw().await.generate_digits_stream(request).await?;
    let (mut answers, mut all) = (answers.into_inner(), Vec::new());
    while let Some(answer) = answers.message().await? {
        all.push(answer);
    }
    Ok(all)
}

fn rows(metrics: &Scrape) -> u64 {
    metrics.value("quintet_rows_total", &[("model", "gan"), ("version", "1")])
}

#[tokio::test]
async fn a_stream_gives_what_a_single_answer_gives() {
    let server = with_models().max_batch_size(16).start().await;
    let whole = generate(&server, asked(100)).await.unwrap();
    let messages = stream(&server, asked(100)).await.unwrap();
    assert_eq!(messages.len(), 7);
    let mut candidates = 0;
    for message in &messages {
        candidates += message.digits.len() as u64;
        assert_eq!((message.seed, message.candidates), (5, candidates));
        assert_eq!((&*message.model, &*message.classifier), ("gan", "judge"));
        assert!(message.timing.is_some() && message.sheet.is_none());
    }
    let streamed: Vec<_> = messages.into_iter().flat_map(|it| it.digits).collect();
    assert_same(&streamed, &whole.digits);
}

#[tokio::test]
async fn a_drawn_seed_is_the_same_in_every_message() {
    let server = with_models().max_batch_size(4).start().await;
    let any = v1::GenerateDigitsRequest {
        seed: None,
        ..asked(12)
    };
    let messages = stream(&server, any).await.unwrap();
    assert_eq!(messages.len(), 3);
    assert!(messages.iter().all(|it| it.seed == messages[0].seed));
}

/// The server stops generating for a caller that does not read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_reads_is_not_drawn() {
    let server = with_models().max_batch_size(8).start().await;
    let wire = server.wire().await;
    let body = grpc_message(&asked(100_000).encode_to_vec());
    let unread = wire.send(STREAM, &[], Some(body)).await.unwrap();
    // HTTP/2's default window is 64 KiB: 80 images of 784 bytes with their fields.
    let metrics = server.metrics_when(|metrics| rows(metrics) >= 80).await;
    let bound = 80 + 3 * 8;
    assert!(rows(&metrics) <= bound, "{}", rows(&metrics));
    // Many requests of others are served meanwhile.
    let mut others = JoinSet::new();
    for _ in 0..8 {
        let mut client = server.raw().await;
        others.spawn(async move {
            for _ in 0..20 {
                client.generate_digits(asked(1)).await.unwrap();
            }
        });
    }
    while let Some(other) = others.join_next().await {
        other.unwrap();
    }
    let drawn = rows(&server.metrics().await) - 8 * 20;
    assert!(drawn <= bound, "{drawn}");
    // It continues when the caller reads.
    let (parts, mut answers) = unread.0.await.unwrap().into_parts();
    assert_eq!(parts.status, 200);
    let mut read = 0;
    while read < 1 << 20 {
        let chunk = answers.data().await.unwrap().unwrap();
        let released = answers.flow_control().release_capacity(chunk.len());
        released.unwrap();
        read += chunk.len();
    }
    let drawn = rows(&server.metrics().await) - 8 * 20;
    assert!(drawn > 1000, "{drawn}");
    drop((answers, unread.1, wire));
    server
        .metrics_when(|metrics| metrics.value("quintet_requests_in_flight", &[]) == 0)
        .await;
    assert!(rows(&server.metrics().await) < 100_000);
}

#[tokio::test]
async fn a_draining_server_ends_the_stream_and_says_so() {
    let server = server()
        .generator(tiny_generator("gan").slow())
        .model(tiny("judge").digits())
        .max_batch_size(1)
        .start()
        .await;
    let mut client = server.raw().await;
    let answers = client.generate_digits_stream(asked(100_000)).await.unwrap();
    let mut answers = answers.into_inner();
    assert!(answers.message().await.unwrap().is_some());
    server.shutdown();
    let end = loop {
        match answers.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended as if all were there"),
            Err(status) => break status,
        }
    };
    assert_eq!(end.code(), Code::Unavailable);
    assert!(end.get_error_details().retry_info().is_some());
    drop(client);
    assert_eq!(server.stopped().await, 0);
}

#[tokio::test]
async fn streams_are_counted_by_how_they_end() {
    let server = with_models()
        .max_images_per_generation_stream(50)
        .start()
        .await;
    stream(&server, asked(50)).await.unwrap();
    stream(&server, asked(51)).await.unwrap_err();
    let unlikely = v1::GenerateDigitsRequest {
        min_confidence: Some(1.0),
        ..asked(1)
    };
    stream(&server, unlikely).await.unwrap_err();
    for code in ["OK", "INVALID_ARGUMENT", "FAILED_PRECONDITION"] {
        let labels = [("rpc", STREAM), ("model", "gan"), ("code", code)];
        server
            .metrics_when(|metrics| metrics.value("quintet_requests_total", &labels) == 1)
            .await;
    }
}
