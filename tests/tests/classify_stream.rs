//! Many requests on one stream: each is answered by its index, even if others fail.

use std::collections::BTreeSet;

use quintet_e2e::{Frame, frame, server, tiny};
use quintet_proto::v1;
use quintet_proto::v1::classify_stream_response::Result as Outcome;
use tokio_stream::{StreamExt as _, iter};
use tonic::Code;

use crate::support::{assert_answers, assert_works, request};

fn item(index: u64, frame: Frame) -> v1::ClassifyStreamRequest {
    v1::ClassifyStreamRequest {
        index,
        request: Some(request(&[frame])),
    }
}

#[tokio::test]
async fn every_index_is_answered_once_and_a_bad_request_ends_nothing() {
    let server = server().model(tiny("digits")).start().await;
    let count = 1_000;
    let requests = (0..count).map(|index| match index {
        3 => v1::ClassifyStreamRequest {
            index,
            request: None,
        },
        5 => v1::ClassifyStreamRequest {
            index,
            request: Some(v1::ClassifyRequest {
                model: "nobody".to_owned(),
                ..request(&[frame(1)])
            }),
        },
        _ => item(index, frame((index % 10) as u8)),
    });
    let mut client = server.raw().await;
    let answers = client.classify_stream(iter(requests)).await.unwrap();
    let mut answers = answers.into_inner();
    let mut seen = BTreeSet::new();
    while let Some(answer) = answers.message().await.unwrap() {
        let index = answer.index;
        assert!(seen.insert(index), "{index} twice");
        match answer.result.unwrap() {
            Outcome::Response(reply) => {
                assert_answers(&reply, &[frame((index % 10) as u8)]);
            }
            Outcome::Error(error) => {
                let expected = match index {
                    3 => Code::InvalidArgument,
                    5 => Code::NotFound,
                    _ => panic!("{index}: {error:?}"),
                };
                assert_eq!(error.code, expected as i32);
                assert!(!error.message.is_empty());
                assert_eq!(error.retry_after_ms, 0);
            }
        }
    }
    assert_eq!(seen, (0..count).collect());
}

#[tokio::test]
async fn a_full_queue_answers_the_request_and_says_when_to_try_again() {
    let server = server()
        .model(tiny("digits").slow())
        .max_batch_size(1)
        .max_queue_size(2)
        .start()
        .await;
    let requests = (0..20).map(|index| item(index, frame(1)));
    let mut client = server.raw().await;
    let answers = client.classify_stream(iter(requests)).await.unwrap();
    let answers: Vec<_> = answers.into_inner().collect().await;
    let (mut answered, mut refused) = (0, 0);
    for answer in answers {
        match answer.unwrap().result.unwrap() {
            Outcome::Response(_) => answered += 1,
            Outcome::Error(error) => {
                assert_eq!(error.code, Code::ResourceExhausted as i32);
                assert!(error.retry_after_ms > 0);
                refused += 1;
            }
        }
    }
    assert_eq!(answered + refused, 20);
    assert!(answered >= 2 && refused > 0, "{answered} {refused}");
}

#[tokio::test]
async fn a_cancelled_stream_frees_its_places() {
    // Nothing runs: fifty rows wait for a batch that needs 64.
    let server = server()
        .model(tiny("digits"))
        .max_batch_size(64)
        .max_queue_delay("1h")
        .start()
        .await;
    // All is sent: hyper's client keeps a stream whose body is open, even if nobody reads the
    // responses.
    let requests = iter((0..50).map(|index| item(index, frame(1))));
    let mut client = server.raw().await;
    let answers = client.classify_stream(requests).await.unwrap();
    server.queued("digits", 50).await;
    drop(answers);
    drop(client);
    server.queued("digits", 0).await;
    let labels = [
        ("rpc", "/quintet.v1.InferenceService/ClassifyStream"),
        ("model", "digits"),
        ("code", "CANCELLED"),
    ];
    server
        .metrics_when(|metrics| metrics.value("quintet_requests_total", &labels) == 1)
        .await;
}

#[tokio::test]
async fn a_shutdown_answers_what_was_taken_up_and_ends_the_stream() {
    let server = server().model(tiny("digits").slow()).start().await;
    let requests = iter((0..20).map(|index| item(index, frame(2))));
    let requests = requests.chain(tokio_stream::pending());
    let mut client = server.raw().await;
    let answers = client.classify_stream(requests).await.unwrap();
    let mut answers = answers.into_inner();
    let first = answers.message().await.unwrap().unwrap();
    assert!(matches!(first.result, Some(Outcome::Response(_))));
    server.shutdown();
    let mut answered = 1;
    let end = loop {
        match answers.message().await {
            Ok(Some(answer)) => {
                assert!(matches!(answer.result, Some(Outcome::Response(_))));
                answered += 1;
            }
            Ok(None) => panic!("the stream ended as if all were said"),
            Err(status) => break status,
        }
    };
    assert_eq!(end.code(), Code::Unavailable);
    assert!(answered >= 1);
    drop(client);
    assert_eq!(server.stopped().await, 0);
}

/// An empty image takes fifty times its wire size in memory: a list is counted before it is
/// decoded.
#[tokio::test]
async fn a_message_of_too_many_images_is_refused_before_it_is_decoded() {
    let server = server().model(tiny("digits")).start().await;
    let images = vec![v1::Image::default(); 70_000];
    let request = v1::ClassifyRequest {
        images,
        ..v1::ClassifyRequest::default()
    };
    let item = v1::ClassifyStreamRequest {
        index: 0,
        request: Some(request),
    };
    let mut client = server.raw().await;
    let refused = match client.classify_stream(iter([item])).await {
        Ok(answers) => answers.into_inner().message().await.unwrap_err(),
        Err(refused) => refused,
    };
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    assert!(refused.message().contains("too many fields"), "{refused:?}");
    assert_works(&server).await;
}
