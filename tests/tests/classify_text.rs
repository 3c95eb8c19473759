//! ClassifyText: ranked labels, logits and pairs of texts, by models of any labels.

use quintet_bundle::ProblemType::{
    self, MultiLabelClassification, Regression, SingleLabelClassification,
};
use quintet_e2e::labels::{BAD, GOOD, labels, logits};
use quintet_e2e::{Server, server, softmax, tiny, tiny_text};
use quintet_proto::v1;
use tonic::{Code, Status};

use crate::support::violation;

const TOPICS: [&str; 3] = ["film", "music", "sport"];
const CLS: i64 = 1;
const SEP: i64 = 2;

fn text(text: &str) -> v1::TextInput {
    v1::TextInput {
        text: text.to_owned(),
        text_pair: None,
    }
}

fn pair(text: &str, text_pair: &str) -> v1::TextInput {
    v1::TextInput {
        text: text.to_owned(),
        text_pair: Some(text_pair.to_owned()),
    }
}

fn request(texts: Vec<v1::TextInput>) -> v1::ClassifyTextRequest {
    v1::ClassifyTextRequest {
        texts,
        top_k: 9,
        return_logits: true,
        ..Default::default()
    }
}

async fn ask(
    server: &Server,
    request: v1::ClassifyTextRequest,
) -> Result<v1::ClassifyTextResponse, Status> {
    let mut client = server.raw().await;
    let reply = client.classify_text(request).await;
    reply.map(tonic::Response::into_inner)
}

async fn serving(names: &[&str], problem_type: ProblemType) -> Server {
    let model = labels("topics", names, problem_type);
    server().bundle(model).max_batch_size(8).start().await
}

#[track_caller]
fn assert_near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    let near = |(found, expected): (&f32, &f32)| (found - expected).abs() <= 1e-5;
    assert!(
        found.iter().zip(expected).all(near),
        "{found:?} is not {expected:?}"
    );
}

#[tokio::test]
async fn labels_are_ranked_by_the_softmax_of_the_logits() {
    let server = serving(&TOPICS, SingleLabelClassification).await;
    let reply = ask(&server, request(vec![text("good"), text("bad bad")])).await;
    let reply = reply.unwrap();
    assert_eq!((&*reply.model, &*reply.version), ("topics", "1"));
    for (found, (tokens, ranks)) in reply.classifications.iter().zip([
        (&[CLS, GOOD, SEP][..], [0, 1, 2]),
        (&[CLS, BAD, BAD, SEP], [2, 1, 0]),
    ]) {
        let expected = logits(tokens, 0, 3);
        assert_near(&found.logits, &expected);
        assert_eq!(found.tokens as usize, tokens.len());
        assert!(!found.truncated);
        let probabilities = softmax(&expected);
        for (label, rank) in found.labels.iter().zip(ranks) {
            assert_eq!((label.index, &*label.name), (rank, TOPICS[rank as usize]));
            assert_near(&[label.probability], &[probabilities[rank as usize]]);
        }
    }
    let asked = v1::ClassifyTextRequest {
        top_k: 0,
        return_logits: false,
        ..request(vec![text("good")])
    };
    let reply = ask(&server, asked).await.unwrap();
    let found = &reply.classifications[0];
    assert_eq!((found.labels.len(), found.logits.len()), (1, 0));
}

#[tokio::test]
async fn independent_labels_have_sigmoids_and_a_regression_has_numbers() {
    let server = serving(&TOPICS, MultiLabelClassification).await;
    let reply = ask(&server, request(vec![text("good")])).await.unwrap();
    let expected = logits(&[CLS, GOOD, SEP], 0, 3);
    for label in &reply.classifications[0].labels {
        let sigmoid = 1.0 / (1.0 + (-expected[label.index as usize]).exp());
        assert_near(&[label.probability], &[sigmoid]);
    }
    let server = serving(&["stars"], Regression).await;
    let asked = v1::ClassifyTextRequest {
        return_logits: false,
        ..request(vec![text("good")])
    };
    let reply = ask(&server, asked).await.unwrap();
    let found = &reply.classifications[0];
    assert!(found.labels.is_empty());
    assert_near(&found.logits, &logits(&[CLS, GOOD, SEP], 0, 1));
}

#[tokio::test]
async fn pairs_and_company_change_no_answer() {
    let server = serving(&TOPICS, SingleLabelClassification).await;
    let long = "good ".repeat(40);
    let texts = vec![
        pair("good", "bad film"),
        text(""),
        text(&long),
        pair(&long, "bad"),
    ];
    let together = ask(&server, request(texts.clone())).await.unwrap();
    for (input, found) in texts.into_iter().zip(&together.classifications) {
        let alone = ask(&server, request(vec![input])).await.unwrap();
        assert_near(&found.logits, &alone.classifications[0].logits);
        assert_eq!(found.truncated, alone.classifications[0].truncated);
    }
    let film = 6;
    let expected = logits(&[CLS, GOOD, SEP, BAD, film, SEP], 3, 3);
    assert_near(&together.classifications[0].logits, &expected);
    let seen = |it: &v1::TextClassification| (it.tokens, it.truncated);
    let seen: Vec<_> = together.classifications.iter().map(seen).collect();
    assert_eq!(seen, [(6, false), (2, false), (16, true), (16, true)]);
    // Of the pair, the long text was cut: 12 of it, and the short one whole.
    let mut tokens = vec![CLS];
    tokens.extend([GOOD; 12]);
    tokens.extend([SEP, BAD, SEP]);
    assert_near(&together.classifications[3].logits, &logits(&tokens, 2, 3));
}

#[tokio::test]
async fn an_empty_second_text_is_none() {
    let server = server()
        .bundle(labels("topics", &TOPICS, SingleLabelClassification))
        .text(tiny_text("reviews"))
        .start()
        .await;
    let texts = vec![pair("good", ""), pair("", ""), pair("", "good")];
    let of_topics = v1::ClassifyTextRequest {
        model: "topics".to_owned(),
        ..request(texts)
    };
    let reply = ask(&server, of_topics).await.unwrap();
    let expected: [(&[i64], usize); 3] = [
        (&[CLS, GOOD, SEP], 0),
        (&[CLS, SEP], 0),
        (&[CLS, SEP, GOOD, SEP], 2),
    ];
    for (found, (tokens, typed)) in reply.classifications.iter().zip(expected) {
        assert_eq!(found.tokens as usize, tokens.len());
        assert_near(&found.logits, &logits(tokens, typed, 3));
    }
    // A model of single texts reads it, too.
    let single = v1::ClassifyTextRequest {
        model: "reviews".to_owned(),
        return_logits: false,
        ..request(vec![pair("good", "")])
    };
    ask(&server, single).await.unwrap();
}

#[tokio::test]
async fn what_a_model_cannot_do_is_refused() {
    let server = server()
        .bundle(labels("topics", &TOPICS, SingleLabelClassification))
        .text(tiny_text("reviews"))
        .max_texts_per_request(2)
        .max_text_bytes(100)
        .start()
        .await;
    let of = |model: &str, texts| v1::ClassifyTextRequest {
        model: model.to_owned(),
        return_logits: false,
        ..request(texts)
    };
    let logits = v1::ClassifyTextRequest {
        return_logits: true,
        ..of("reviews", vec![text("good")])
    };
    let whole = v1::ClassifyTextRequest {
        refuse_truncated: true,
        ..of("topics", vec![text("good"), text(&"good ".repeat(15))])
    };
    for (asked, field, words) in [
        (
            of("topics", vec![]),
            "texts",
            "holds 0 texts; 1 to 2 are allowed",
        ),
        (
            of("topics", vec![text(""); 3]),
            "texts",
            "holds 3 texts; 1 to 2 are allowed",
        ),
        (
            of("topics", vec![pair(&"a".repeat(60), &"b".repeat(41))]),
            "texts[0]",
            "is 101 bytes; at most 100 are allowed",
        ),
        (
            of("reviews", vec![text(""), pair("good", "bad")]),
            "texts[1].text_pair",
            "is set; the model reads single texts",
        ),
        (
            logits,
            "return_logits",
            "is true; the model gives probabilities only",
        ),
        (whole, "texts[1]", "has 17 tokens; the model reads 16"),
    ] {
        let status = ask(&server, asked).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(violation(&status), (field.to_owned(), words.to_owned()));
    }
    let sentiment = v1::SentimentScoreRequest {
        texts: vec!["good".to_owned()],
        model: "topics".to_owned(),
        ..Default::default()
    };
    let mut client = server.raw().await;
    let status = client.sentiment_score(sentiment).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(
        status
            .message()
            .contains("text_classification with 3 labels"),
        "{status:?}"
    );
}

#[tokio::test]
async fn both_calls_of_texts_share_a_default_of_two_labels() {
    let feelings = |name, accuracy: Option<f64>| {
        let mut bundle = labels(name, &["POSITIVE", "NEGATIVE"], SingleLabelClassification);
        let accuracy = accuracy.map(|it| ("test_accuracy".to_owned(), it));
        bundle.manifest.metrics.extend(accuracy);
        bundle
    };
    let server = server()
        .model(tiny("digits"))
        .bundle(labels("a-topics", &TOPICS, SingleLabelClassification))
        .bundle(feelings("b-imported", None))
        .bundle(feelings("c-feelings", Some(0.88)))
        .bundle(feelings("d-feelings", Some(0.91)))
        .bundle(feelings("e-feelings", Some(0.91)))
        .start()
        .await;
    let reply = ask(&server, request(vec![text("good")])).await.unwrap();
    assert_eq!(reply.model, "d-feelings");
    let sentiment = v1::SentimentScoreRequest {
        texts: vec!["good".to_owned()],
        ..Default::default()
    };
    let reply = server.raw().await.sentiment_score(sentiment).await.unwrap();
    assert_eq!(reply.get_ref().model, "d-feelings");
    let found = &reply.get_ref().sentiments[0];
    let positive = softmax(&logits(&[CLS, GOOD, SEP], 0, 2))[0];
    assert_near(&[found.score], &[positive]);
    assert_eq!((&*found.label, found.known_tokens), ("POSITIVE", 1));
}

/// As much as a request may hold, in texts that the tokeniser has most work with.
#[tokio::test]
async fn a_text_of_a_megabyte_is_read_beside_other_calls() {
    let server = serving(&TOPICS, SingleLabelClassification).await;
    for long in [
        "good ".repeat(209_715),
        "a".repeat(1 << 20),
        "é".repeat(1 << 19),
    ] {
        let reply = ask(&server, request(vec![text(&long)])).await.unwrap();
        assert!(reply.classifications[0].tokens <= 16);
    }
}
