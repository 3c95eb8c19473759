//! The SDK over a real connection. What it waits is tested on a paused clock in `src/call/tests.rs`.

use std::time::Duration;

use quintet_client::{
    ClassifyRequest, Client, ErrorKind, Framing, Image, ModelState, RetryPolicy, SentimentRequest,
    ServingStatus, Task,
};
use quintet_proto::v1::{self as wire, image::Source};
use tonic::{Code, Status};
use tonic_health::ServingStatus as Health;
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::support::{FakeServer, nobody, sevens};

const QUICK: RetryPolicy = RetryPolicy::none();

fn quick(attempts: u32) -> RetryPolicy {
    QUICK
        .max_attempts(attempts)
        .initial_backoff(Duration::from_millis(1))
}

fn image() -> Image {
    Image::encoded("a file")
}

#[tokio::test]
async fn a_request_arrives_whole_and_so_does_its_answer() {
    let server = FakeServer::answering().await;
    let client = Client::builder(server.url()).connect().await.unwrap();
    let request = ClassifyRequest::new([image(), Image::raw(2, 1, 3, vec![0; 6])])
        .model("mlp")
        .version("2")
        .top_k(3)
        .framing(Framing::None);
    let answer = client.classify(request).await.unwrap();

    let [call] = &server.calls()[..] else {
        panic!("one call was made")
    };
    assert_eq!(call.message.model, "mlp");
    assert_eq!(call.message.version, "2");
    assert_eq!(call.message.top_k, 3);
    assert_eq!(call.message.framing(), wire::Framing::None);
    let sources: Vec<_> = call
        .message
        .images
        .iter()
        .map(|it| it.source.clone().unwrap())
        .collect();
    let raw = wire::RawImage {
        width: 2,
        height: 1,
        channels: 3,
        data: vec![0; 6].into(),
    };
    assert_eq!(
        sources,
        [Source::Encoded("a file".into()), Source::Raw(raw)]
    );

    assert_eq!(
        (answer.model.as_str(), answer.version.as_str()),
        ("mlp", "2")
    );
    assert_eq!(answer.predictions.len(), 2);
    assert_eq!(answer.predictions[1].labels.len(), 3);
    let top = answer.predictions[0].top().unwrap();
    assert_eq!((top.name.as_str(), top.index), ("7", 7));
    assert!((top.probability - 0.9).abs() < 1e-6);
    assert_eq!(answer.timing.preprocess, Duration::from_micros(120));
    assert_eq!(answer.timing.queue, Duration::from_micros(40));
    assert_eq!(answer.timing.compute, Duration::from_micros(1500));
    assert_eq!(answer.timing.batch_size, 4);
}

#[tokio::test]
async fn what_is_left_of_the_timeout_travels_as_grpc_timeout() {
    let server = FakeServer::answering().await;
    let client = server.client().with_timeout(Duration::from_secs(7));
    client.classify(image()).await.unwrap();
    let timeout = server.calls()[0].grpc_timeout.clone();
    let microseconds: u64 = timeout.strip_suffix('u').unwrap().parse().unwrap();
    assert!((1..=7_000_000).contains(&microseconds), "{timeout}");
}

#[tokio::test]
async fn an_unavailable_server_is_tried_again() {
    let server = FakeServer::start(|call, request| {
        Some(if call < 2 {
            Err(Status::unavailable("draining"))
        } else {
            Ok(sevens(request))
        })
    })
    .await;
    let client = Client::builder(server.url())
        .retry(quick(3))
        .connect_lazy()
        .unwrap();
    client.classify(image()).await.unwrap();
    assert_eq!(server.calls().len(), 3);
}

#[tokio::test]
async fn an_overloaded_server_is_left_alone_as_long_as_it_asks() {
    let delay = Duration::from_millis(40);
    let server = FakeServer::start(move |call, request| {
        let details = ErrorDetails::with_retry_info(Some(delay));
        let full = Status::with_error_details(Code::ResourceExhausted, "queue full", details);
        Some(if call == 0 {
            Err(full)
        } else {
            Ok(sevens(request))
        })
    })
    .await;
    let client = Client::builder(server.url())
        .retry(quick(2))
        .connect_lazy()
        .unwrap();
    let start = tokio::time::Instant::now();
    client.classify(image()).await.unwrap();
    assert!(start.elapsed() >= delay);
    assert_eq!(server.calls().len(), 2);
}

#[tokio::test]
async fn attempts_end_with_the_policy() {
    let server = FakeServer::refusing(Status::unavailable("draining")).await;
    let client = Client::builder(server.url())
        .retry(quick(3))
        .connect_lazy()
        .unwrap();
    let error = client.classify(image()).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Unavailable);
    assert_eq!((error.rpc(), error.attempts()), ("Classify", 3));
    assert_eq!(server.calls().len(), 3);
}

#[tokio::test]
async fn a_bad_request_is_not_tried_again_and_its_fields_are_typed() {
    let details =
        ErrorDetails::with_bad_request_violation("images[0].encoded", "neither PNG, JPEG nor WebP");
    let status = Status::with_error_details(Code::InvalidArgument, "bad image", details);
    let server = FakeServer::refusing(status).await;
    let error = server.client().classify(image()).await.unwrap_err();
    assert_eq!(server.calls().len(), 1);
    assert!(!error.is_retryable());
    let [violation] = error.field_violations() else {
        panic!("one field is wrong")
    };
    assert_eq!(violation.field, "images[0].encoded");
    assert_eq!(violation.description, "neither PNG, JPEG nor WebP");
    assert_eq!(error.to_string(), "Classify: invalid argument: bad image");
}

#[tokio::test]
async fn a_server_that_never_answers_times_out() {
    let server = FakeServer::start(|_, _| None).await;
    let timeout = Duration::from_millis(80);
    let client = Client::builder(server.url())
        .timeout(timeout)
        .connect_lazy()
        .unwrap();
    let error = client.classify(image()).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::DeadlineExceeded);
    assert!(error.elapsed() >= timeout);
    assert_eq!(error.attempts(), 1);
}

#[tokio::test]
async fn nobody_listening_is_a_connection_failure() {
    let address = nobody().await;
    let error = Client::builder(&address).connect().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Connect);
    assert!(error.message().contains("refused"), "{error}");

    let client = Client::builder(address)
        .retry(quick(2))
        .connect_lazy()
        .unwrap();
    let error = client.classify(image()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (&ErrorKind::Connect, 2));
    assert!(error.message().contains("refused"), "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_connection_that_is_cut_is_a_connection_failure() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let cutter = tokio::spawn(async move {
        loop {
            drop(listener.accept().await);
        }
    });
    let client = Client::builder(address)
        .retry(quick(2))
        .connect_lazy()
        .unwrap();
    let error = client.classify(image()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (&ErrorKind::Connect, 2),
        "{error}"
    );
    cutter.abort();
}

#[tokio::test]
async fn a_client_made_before_its_server_connects_when_it_is_there() {
    let address = nobody().await;
    let client = Client::builder(&address)
        .retry(QUICK)
        .connect_lazy()
        .unwrap();
    assert_eq!(
        client.list_models().await.unwrap_err().kind(),
        &ErrorKind::Connect
    );
    let server = FakeServer::start_at(&address, |_, request| Some(Ok(sevens(request)))).await;
    client.classify(image()).await.unwrap();
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn a_request_over_the_message_size_is_not_sent() {
    let server = FakeServer::answering().await;
    let builder = Client::builder(server.url()).max_message_size(1000);
    let client = builder.connect_lazy().unwrap();
    let error = client
        .classify(Image::encoded(vec![0; 1000]))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (&ErrorKind::MessageTooLarge, 0)
    );
    assert!(error.message().contains("1000"), "{error}");
    assert_eq!(server.calls().len(), 0);
}

#[tokio::test]
async fn an_answer_over_the_message_size_is_not_taken() {
    let server = FakeServer::answering().await;
    let builder = Client::builder(server.url()).max_message_size(20);
    let error = builder
        .connect_lazy()
        .unwrap()
        .classify(image())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (&ErrorKind::MessageTooLarge, 1),
        "{error}"
    );
}

#[tokio::test]
async fn too_few_answers_are_a_protocol_error() {
    let server = FakeServer::start(|_, _| Some(Ok(wire::ClassifyResponse::default()))).await;
    let error = server
        .client()
        .classify([image(), image()])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Protocol);
    assert_eq!(error.message(), "0 answers came for 2 images");
}

#[tokio::test]
async fn texts_are_scored() {
    let server = FakeServer::answering().await;
    let client = server.client();
    let request = SentimentRequest::new(["I love it", ""])
        .model("lstm")
        .version("1");
    let answer = client.sentiment(request).await.unwrap();
    let sent = &server.texts()[0];
    assert_eq!(sent.texts, ["I love it", ""]);
    assert_eq!((sent.model.as_str(), sent.version.as_str()), ("lstm", "1"));
    assert_eq!(
        (answer.model.as_str(), answer.version.as_str()),
        ("lstm", "1")
    );
    assert_eq!(answer.timing.compute, Duration::from_micros(900));
    let [good, empty] = &answer.texts[..] else {
        panic!("two texts")
    };
    assert_eq!((good.label.as_str(), good.tokens), ("POSITIVE", 4));
    assert!((good.score - 0.9375).abs() < 1e-6);
    assert_eq!((empty.label.as_str(), empty.tokens), ("NEGATIVE", 1));

    for request in [
        SentimentRequest::from("one"),
        "one".to_owned().into(),
        ["one"].into(),
        vec!["one".to_owned()].into(),
    ] {
        assert_eq!(client.sentiment(request).await.unwrap().texts.len(), 1);
    }
    let error = client.sentiment(["", "refuse"]).await.unwrap_err();
    assert_eq!(error.field_violations()[0].field, "texts[1]");
    assert_eq!(error.rpc(), "SentimentScore");
}

#[tokio::test]
async fn models_are_listed_and_unknown_enums_bearable() {
    let server = FakeServer::answering().await;
    let models = server.client().list_models().await.unwrap();
    let [broken, garments, generator, text, ready] = &models[..] else {
        panic!("five models")
    };
    assert_eq!(garments.labels[0], "T-shirt/top");
    assert_eq!(
        (broken.task, broken.state),
        (Task::Unknown, ModelState::Unavailable)
    );
    assert_eq!(generator.task, Task::ImageGeneration);
    assert_eq!(text.task, Task::TextClassification);
    assert_eq!(broken.reason, "golden samples differ by 0.3");
    assert_eq!(
        (ready.task, ready.state),
        (Task::ImageClassification, ModelState::Ready)
    );
    assert_eq!(ready.inputs[0].shape, [-1, 28, 28]);
    assert!((ready.metrics["test_accuracy"] - 0.9712).abs() < 1e-9);
    assert!(ready.is_default);
}

#[tokio::test]
async fn health_is_told_by_service() {
    let server = FakeServer::answering().await;
    let client = server.client();
    server
        .health
        .set_service_status("mlp", Health::NotServing)
        .await;
    assert_eq!(client.health(None).await.unwrap(), ServingStatus::Serving);
    assert_eq!(
        client.health(Some("mlp")).await.unwrap(),
        ServingStatus::NotServing
    );
    let error = client.health(Some("nothing")).await.unwrap_err();
    assert_eq!((error.kind(), error.rpc()), (&ErrorKind::NotFound, "Check"));
}

#[tokio::test]
async fn a_server_is_waited_for_until_it_is_ready() {
    let server = FakeServer::answering().await;
    let client = server.client();
    server
        .health
        .set_service_status("", Health::NotServing)
        .await;
    let within = Duration::from_millis(20);
    let error = client.wait_until_ready(within).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::DeadlineExceeded);
    assert_eq!(
        error.message(),
        "the server was not ready within 20ms: it is NotServing"
    );

    let waiting =
        tokio::spawn(async move { client.wait_until_ready(Duration::from_mins(1)).await });
    server.health.set_service_status("", Health::Serving).await;
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_can_be_shared_between_tasks() {
    let server = FakeServer::answering().await;
    let client = server.client();
    let calls: tokio::task::JoinSet<_> = (0..20)
        .map(|_| {
            let client = client.clone();
            async move { client.classify(image()).await }
        })
        .collect();
    assert!(calls.join_all().await.iter().all(Result::is_ok));
    assert_eq!(server.calls().len(), 20);
}
