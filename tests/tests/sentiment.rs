//! SentimentScore: each text gets its own score, whatever texts share its batch.

use prost::Message as _;
use quintet_e2e::text::{SPEC, score, tokenizer};
use quintet_e2e::{Server, grpc_message, server, tiny, tiny_text};
use quintet_proto::v1;
use tonic::Code;

use crate::support::{request, violation};

const PATH: &str = "/quintet.v1.InferenceService/SentimentScore";

pub(crate) fn texts<T: AsRef<str>>(texts: &[T]) -> v1::SentimentScoreRequest {
    v1::SentimentScoreRequest {
        texts: texts.iter().map(|text| text.as_ref().to_owned()).collect(),
        ..Default::default()
    }
}

pub(crate) async fn ask(
    server: &Server,
    request: v1::SentimentScoreRequest,
) -> Result<v1::SentimentScoreResponse, tonic::Status> {
    let mut client = server.raw().await;
    let reply = client.sentiment_score(request).await;
    reply.map(tonic::Response::into_inner)
}

/// Whether two scores are equal up to rounding.
#[track_caller]
fn assert_same(found: f32, expected: f32) {
    assert!(
        (found - expected).abs() <= 1e-5,
        "{found} is not {expected}"
    );
}

#[track_caller]
fn assert_scores<T: AsRef<str>>(reply: &v1::SentimentScoreResponse, texts: &[T]) {
    assert_eq!(reply.sentiments.len(), texts.len());
    for (sentiment, text) in reply.sentiments.iter().zip(texts) {
        let read = tokenizer()
            .encode(text.as_ref(), &SPEC)
            .expect("every text has tokens");
        let (expected, label) = match (read.known, score(&read.tokens)) {
            (0, _) => (0.5, "UNKNOWN"),
            (_, score) if score >= 0.5 => (score, "POSITIVE"),
            (_, score) => (score, "NEGATIVE"),
        };
        assert_same(sentiment.score, expected);
        assert_eq!(sentiment.label, label, "{text:?}", text = text.as_ref());
        assert_eq!(sentiment.known_tokens as usize, read.known);
        assert_eq!(sentiment.tokens as usize, read.tokens.len());
        assert_eq!(sentiment.truncated, read.truncated);
    }
}

/// A text of this many words, each different from the next.
fn words(count: usize, seed: u64) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    let words = ["good", "bad", "film", "plot", "unheard-of"];
    let drawn: Vec<&str> = (0..count)
        .map(|_| words[random.usize(..words.len())])
        .collect();
    drawn.join(" ")
}

#[tokio::test]
async fn texts_are_scored_in_their_order() {
    let server = server().text(tiny_text("reviews")).start().await;
    let asked = ["good film", "bad bad plot", "good"];
    let reply = ask(&server, texts(&asked)).await.unwrap();
    assert_scores(&reply, &asked);
    assert_eq!((&*reply.model, &*reply.version), ("reviews", "1"));
    assert_eq!(reply.sentiments[0].label, "POSITIVE");
    assert_eq!(reply.sentiments[1].label, "NEGATIVE");
    assert!(reply.timing.unwrap().batch_size >= 1);
}

#[tokio::test]
async fn odd_texts_have_scores_too() {
    let server = server().text(tiny_text("reviews")).start().await;
    let long = words(40_000, 7);
    assert!(long.len() > 200_000);
    let odd = [
        "",
        " \n\t",
        "zyzzyva quux",
        "\u{1f600}\u{1f44d}\u{1f3fd}",
        "\u{0}\u{feff}\u{202e}good",
        "<br /><br />",
        "GOOD<br/>Film!",
        &long,
        &"\u{1f600}".repeat(50_000),
        &"a".repeat(200_000),
    ];
    let reply = ask(&server, texts(&odd)).await.unwrap();
    assert_scores(&reply, &odd);
    let tokens: Vec<u32> = reply.sentiments.iter().map(|it| it.tokens).collect();
    assert_eq!(tokens[0], 1, "the start marker alone");
    assert_eq!(tokens[2], 3);
    assert_eq!(tokens[7], 200);
    assert!(reply.sentiments[7].truncated && !reply.sentiments[6].truncated);
}

#[tokio::test]
async fn a_text_without_a_known_word_has_no_sentiment() {
    let server = server().text(tiny_text("reviews")).start().await;
    let asked = [
        "good film",
        "good quux",
        "good quux quux",
        "这部电影很好看",
        "",
    ];
    let reply = ask(&server, texts(&asked)).await.unwrap();
    assert_scores(&reply, &asked);
    let seen = |it: &v1::Sentiment| (it.known_tokens, it.language_supported);
    let seen: Vec<_> = reply.sentiments.iter().map(seen).collect();
    let expected = [(2, true), (1, true), (1, false), (0, false), (0, false)];
    assert_eq!(seen, expected);

    let strict = v1::SentimentScoreRequest {
        on_unreadable: v1::OnUnreadable::Error as i32,
        ..texts(&asked)
    };
    let status = ask(&server, strict).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let words = "texts[3]: has no word that the model knows";
    assert!(status.message().contains(words), "{status:?}");
    assert!(!status.message().contains("texts[2]"), "{status:?}");

    let unknown = v1::SentimentScoreRequest {
        on_unreadable: 9,
        ..texts(&asked)
    };
    let status = ask(&server, unknown).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let words = "on_unreadable: is 9; ON_UNREADABLE_ANSWER (1) and ON_UNREADABLE_ERROR (2)";
    assert!(status.message().contains(words), "{status:?}");
}

#[tokio::test]
async fn company_and_padding_change_no_answer() {
    let server = server()
        .text(tiny_text("reviews"))
        .max_batch_size(16)
        .start()
        .await;
    let asked: Vec<String> = [1, 2, 9, 11, 12, 40, 45, 60, 150, 199, 200, 500]
        .iter()
        .zip(0..)
        .map(|(count, seed)| words(*count, seed))
        .collect();
    let mut alone = Vec::new();
    for text in &asked {
        let reply = ask(&server, texts(&[text])).await.unwrap();
        assert_scores(&reply, &[text]);
        assert_eq!(reply.timing.unwrap().batch_size, 1);
        alone.push(reply.sentiments[0].score);
    }
    let reply = ask(&server, texts(&asked)).await.unwrap();
    assert_scores(&reply, &asked);
    for (together, alone) in reply.sentiments.iter().zip(alone) {
        assert_same(together.score, alone);
    }
    let metrics = server.metrics().await;
    let elements = |kind| {
        let labels = [("model", "reviews"), ("version", "1"), ("kind", kind)];
        metrics.value("quintet_batch_elements_total", &labels)
    };
    let tokens: u32 = reply.sentiments.iter().map(|it| it.tokens).sum();
    assert_eq!(elements("real"), 2 * u64::from(tokens));
    // How they are grouped depends on what runs take here; 12 in one batch would be the most.
    let padding = elements("padding");
    let most = 12 * 200 - u64::from(tokens);
    assert!((1..=most).contains(&padding), "{padding}");
}

#[tokio::test]
async fn lists_are_bounded() {
    let server = server()
        .text(tiny_text("reviews"))
        .max_texts_per_request(3)
        .start()
        .await;
    for count in [0, 4] {
        let status = ask(&server, texts(&vec!["good"; count])).await.unwrap_err();
        let (field, words) = violation(&status);
        assert_eq!(field, "texts");
        assert_eq!(words, format!("holds {count} texts; 1 to 3 are allowed"));
    }
    let three = ["good"; 3];
    assert_scores(&ask(&server, texts(&three)).await.unwrap(), &three);
}

#[tokio::test]
async fn a_text_beyond_reason_is_refused() {
    let server = server()
        .text(tiny_text("reviews"))
        .max_text_bytes(1_000)
        .start()
        .await;
    let fits = "a".repeat(1_000);
    let asked = [fits.as_str(), &"a".repeat(1_001)];
    let status = ask(&server, texts(&asked)).await.unwrap_err();
    let (field, words) = violation(&status);
    assert_eq!(field, "texts[1]");
    assert_eq!(words, "is 1001 bytes; at most 1000 are allowed");
    assert_scores(&ask(&server, texts(&[&fits])).await.unwrap(), &[&fits]);
}

#[tokio::test]
async fn bytes_that_are_no_utf_8_are_refused_in_words() {
    let server = server().text(tiny_text("reviews")).start().await;
    // Field 1, four bytes. The third is not valid UTF-8.
    let message = [0x0a, 4, b'o', b'k', 0xff, b'!'];
    let wire = server.wire().await;
    let reply = wire.call(PATH, &[], grpc_message(&message)).await.unwrap();
    let (field, words) = violation(&reply.status);
    assert_eq!(field, "request");
    assert!(
        words.contains("UTF-8") && words.contains("texts"),
        "{words}"
    );
    let reply = ask(&server, texts(&["good"])).await.unwrap();
    assert_scores(&reply, &["good"]);
}

#[tokio::test]
async fn a_model_answers_only_to_its_own_task() {
    let server = server()
        .model(tiny("digits"))
        .text(tiny_text("reviews"))
        .start()
        .await;
    let asked = v1::SentimentScoreRequest {
        model: "digits".to_owned(),
        ..texts(&["good"])
    };
    let status = ask(&server, asked).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(
        status.message(),
        "model `digits` does image_classification, this call needs text_classification"
    );
    let asked = v1::ClassifyRequest {
        model: "reviews".to_owned(),
        ..request(&[quintet_e2e::frame(1)])
    };
    let status = crate::support::refusal(&server, asked).await;
    assert_eq!(status.code(), Code::FailedPrecondition);
    // Each call has a default of its own.
    crate::support::assert_works(&server).await;
    let reply = ask(&server, texts(&["good"])).await.unwrap();
    assert_eq!(reply.model, "reviews");
}

#[tokio::test]
async fn unknown_models_and_versions_are_not_found() {
    let without = server().model(tiny("digits")).start().await;
    let status = ask(&without, texts(&["good"])).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert!(
        status.message().contains("text_classification"),
        "{status:?}"
    );

    let server = server().text(tiny_text("reviews")).start().await;
    for (model, version, words) in [
        ("nobody", "", "there is no model `nobody`"),
        ("reviews", "7", "has no version `7`; it has 1"),
    ] {
        let asked = v1::SentimentScoreRequest {
            model: model.to_owned(),
            version: version.to_owned(),
            ..texts(&["good"])
        };
        let status = ask(&server, asked).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        assert!(status.message().contains(words), "{status:?}");
    }
}

#[tokio::test]
async fn every_task_has_its_default() {
    let server = server()
        .model(tiny("digits"))
        .text(tiny_text("essays"))
        .text(tiny_text("reviews"))
        .text(tiny_text("reviews").version(2))
        .default_sentiment_model("reviews")
        .start_settled()
        .await;
    let reply = ask(&server, texts(&["good"])).await.unwrap();
    assert_eq!((&*reply.model, &*reply.version), ("reviews", "2"));
    let mut client = server.raw().await;
    let listed = client.list_models(v1::ListModelsRequest {}).await.unwrap();
    let models = listed.into_inner().models;
    let defaults: Vec<(&str, &str)> = models
        .iter()
        .filter(|model| model.is_default)
        .map(|model| (&*model.name, &*model.version))
        .collect();
    assert_eq!(defaults, [("digits", "1"), ("reviews", "2")]);
    let reviews = models.iter().find(|model| model.name == "reviews").unwrap();
    assert_eq!(reviews.task(), v1::Task::TextClassification);
    assert_eq!(reviews.inputs[0].shape, [-1, -1]);
}

#[tokio::test]
async fn a_model_without_its_tokeniser_is_not_served() {
    let server = server()
        .text(tiny_text("reviews").without_tokenizer())
        .start_settled()
        .await;
    let status = ask(&server, texts(&["good"])).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("tokenizer.json"), "{status:?}");
}

#[tokio::test]
async fn a_passed_deadline_is_told_as_such() {
    let server = server()
        .text(tiny_text("reviews"))
        .max_batch_size(8)
        .max_queue_delay("1h")
        .start()
        .await;
    let message = grpc_message(&texts(&["good"]).encode_to_vec());
    let wire = server.wire().await;
    let reply = wire.call(PATH, &[("grpc-timeout", "20m")], message).await;
    assert_eq!(reply.unwrap().code(), Code::DeadlineExceeded);
}
