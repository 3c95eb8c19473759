//! The SDK's generated digits over a real connection.

use std::time::Duration;

use quintet_client::{ErrorKind, GenerateRequest, GenerateStream, Image, ImageFormat, Layout};
use quintet_proto::v1 as wire;

use crate::support::{
    FakeServer,
    generator::{DRAWN, EMPTY, LOST, RARE, SHORT, STALLED},
};

/// The rest of a stream: candidates, or the kind of the error.
async fn all(mut parts: GenerateStream) -> Vec<Result<u64, ErrorKind>> {
    let mut all = Vec::new();
    while let Some(part) = parts.next().await {
        match part {
            Ok(part) => all.extend(part.digits.iter().map(|it| Ok(it.index))),
            Err(error) => all.push(Err(error.kind().clone())),
        }
    }
    assert!(parts.next().await.is_none());
    all
}

#[tokio::test]
async fn a_request_arrives_whole_and_so_does_its_answer() {
    let server = FakeServer::answering().await;
    let request = GenerateRequest::new(3)
        .seed(0)
        .digit(7)
        .min_confidence(0.5)
        .format(ImageFormat::Png)
        .layout(Layout::Separate)
        .model("gan")
        .version("3")
        .classifier("mlp");
    let answer = server.client().generate(request).await.unwrap();
    let sent = wire::GenerateDigitsRequest {
        count: 3,
        seed: Some(0),
        digit: Some(7),
        min_confidence: Some(0.5),
        format: wire::ImageFormat::Png.into(),
        layout: wire::Layout::Separate.into(),
        model: "gan".into(),
        version: "3".into(),
        classifier: "mlp".into(),
    };
    assert_eq!(server.images()[0].0, sent);

    assert_eq!((answer.seed, answer.candidates), (0, 7));
    assert_eq!((&*answer.model, &*answer.version), ("gan", "3"));
    assert_eq!(
        (&*answer.classifier, &*answer.classifier_version),
        ("mlp", "2")
    );
    assert_eq!(answer.sheet, None);
    assert_eq!(answer.timing.compute, Duration::from_micros(700));
    assert_eq!(answer.timing.batch_size, 8);
    let indices = answer.digits.iter().map(|it| it.index);
    assert_eq!(indices.collect::<Vec<_>>(), [0, 3, 6]);
    let second = &answer.digits[1];
    assert_eq!(second.digit, 7);
    assert!((second.confidence - 0.75).abs() < 1e-6);
    assert_eq!(second.image, Some(Image::encoded("seed 0, candidate 3")));
}

#[tokio::test]
async fn a_number_is_a_request_with_the_defaults() {
    let server = FakeServer::answering().await;
    let answer = server.client().generate(12).await.unwrap();
    let (sent, _) = &server.images()[0];
    assert_eq!(
        *sent,
        wire::GenerateDigitsRequest {
            count: 12,
            ..Default::default()
        }
    );
    assert_eq!((answer.digits.len(), answer.seed), (12, DRAWN));
}

#[tokio::test]
async fn images_come_as_they_were_asked_for() {
    let server = FakeServer::answering().await;
    let client = server.client();
    let request = GenerateRequest::new(2).layout(Layout::Grid).seed(5);
    let answer = client.generate(request).await.unwrap();
    assert_eq!(answer.sheet, Some(Image::encoded("seed 5, sheet")));
    assert!(answer.digits.iter().all(|it| it.image.is_none()));
    let file = answer.sheet.as_ref().and_then(Image::as_encoded);
    assert_eq!(file.unwrap(), "seed 5, sheet");

    let request = GenerateRequest::new(1).format(ImageFormat::Raw);
    let answer = client.generate(request).await.unwrap();
    let image = answer.digits[0].image.as_ref().unwrap();
    assert_eq!(image.as_encoded(), None);
    let raw = image.as_raw().unwrap();
    assert_eq!((raw.width, raw.height, raw.channels), (28, 28, 1));
    assert_eq!(raw.data.len(), 784);
    assert_eq!(Image::encoded("").as_raw(), None);
}

#[tokio::test]
async fn refusals_are_typed() {
    let server = FakeServer::answering().await;
    let client = server.client();
    let error = client.generate(0).await.unwrap_err();
    assert_eq!(error.rpc(), "GenerateDigits");
    let [violation] = error.field_violations() else {
        panic!("one field is wrong")
    };
    assert_eq!(violation.field, "count");

    let request = GenerateRequest::new(20).digit(RARE);
    let too_few = ErrorKind::TooFewFound {
        found: 3,
        wanted: 20,
        candidates: 5120,
    };
    let error = client.generate(request.clone()).await.unwrap_err();
    assert_eq!(error.kind(), &too_few);
    assert_eq!((error.attempts(), error.is_retryable()), (1, false));
    assert_eq!(
        error.to_string(),
        "GenerateDigits: too few found: found 3 of 20 images of a 9 in 5120 candidates"
    );
    assert_eq!(all(client.generate_stream(request)).await, [Err(too_few)]);
}

#[tokio::test]
async fn an_answer_of_another_length_is_a_protocol_error() {
    let server = FakeServer::answering().await;
    let request = GenerateRequest::new(4).seed(EMPTY);
    let error = server.client().generate(request).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Protocol);
    assert_eq!(error.message(), "0 images came where 4 were asked for");
}

#[tokio::test]
async fn a_stream_gives_all_images_in_order() {
    let server = FakeServer::answering().await;
    let client = server.client().with_stream_timeout(Duration::from_secs(7));
    let mut parts = client.generate_stream(GenerateRequest::new(200).digit(2));
    let first = parts.next().await.unwrap().unwrap();
    assert_eq!((first.digits.len(), first.seed), (16, DRAWN));
    assert_eq!(first.candidates, 46);
    let rest = all(parts).await;
    assert!(rest.into_iter().eq((16..200).map(|it| Ok(it * 3))));
    let timeout = &server.images()[0].1;
    let microseconds: u64 = timeout.strip_suffix('u').unwrap().parse().unwrap();
    assert!((1..=7_000_000).contains(&microseconds), "{timeout}");
}

#[tokio::test]
async fn the_wait_for_each_part_is_bounded_and_the_whole_if_asked() {
    let server = FakeServer::answering().await;
    let client = server.client().with_timeout(Duration::from_millis(300));
    let request = GenerateRequest::new(40).seed(STALLED);
    for (client, message) in [
        (client.clone(), "no message came within 300ms"),
        (
            client
                .with_timeout(Duration::MAX)
                .with_stream_timeout(Duration::from_millis(400)),
            "the stream did not end within 400ms",
        ),
    ] {
        let mut parts = client.generate_stream(request.clone());
        assert!(parts.next().await.unwrap().is_ok());
        let error = parts.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::DeadlineExceeded);
        assert_eq!(error.message(), message);
        assert!(parts.next().await.is_none());
    }
    // Without a stream timeout the server is told of no time that ends soon.
    let timeout = &server.images()[0].1;
    assert!(timeout.ends_with(['H', 'M', 'S']), "{timeout}");
}

#[tokio::test]
async fn streams_are_those_of_the_futures_crates() {
    use futures_util::{StreamExt as _, TryStreamExt as _};

    let client = FakeServer::answering().await;
    let (server, client) = (&client, client.client());
    let parts: Vec<_> = client.generate_stream(40).try_collect().await.unwrap();
    assert_eq!(parts.iter().map(|it| it.digits.len()).sum::<usize>(), 40);
    let images = tokio_stream::iter(vec![Image::encoded("a file"); 3]);
    let answers: Vec<_> = client.classify_stream(images).collect().await;
    assert!(answers.iter().all(|(_, answer)| answer.is_ok()));
    assert_eq!(server.calls().len(), 3);
}

#[tokio::test]
async fn a_stream_that_breaks_off_says_so() {
    let server = FakeServer::answering().await;
    for (seed, kind) in [(LOST, ErrorKind::Unavailable), (SHORT, ErrorKind::Protocol)] {
        let request = GenerateRequest::new(40).seed(seed);
        let mut all = all(server.client().generate_stream(request)).await;
        assert_eq!(all.pop(), Some(Err(kind)));
        assert!(all.into_iter().eq((0..16).map(Ok)));
    }
    let client = server.client().with_timeout(Duration::ZERO);
    let late = Err(ErrorKind::DeadlineExceeded);
    assert_eq!(all(client.generate_stream(1)).await, [late]);
}
