//! The committed text models' accuracy on IMDB's 25,000 test reviews, over the wire.

use quintet_client::{Client, SentimentRequest};
use quintet_data::imdb::{self, POSITIVE, Reviews};
use quintet_e2e::server;

use crate::support::{committed_models, data_dir};

/// The model's accuracy on the reviews.
async fn accuracy(client: &Client, model: &str, reviews: &Reviews) -> f64 {
    let mut right = 0;
    for (texts, labels) in reviews.texts.chunks(250).zip(reviews.labels.chunks(250)) {
        let asked = SentimentRequest::new(texts.to_vec()).model(model);
        let answer = client.sentiment(asked).await;
        let answer = answer.expect("a good request is answered");
        assert_eq!(answer.texts.len(), labels.len());
        right += labels
            .iter()
            .zip(&answer.texts)
            .filter(|(label, sentiment)| (**label == POSITIVE) == (sentiment.label == "POSITIVE"))
            .count();
    }
    right as f64 / reviews.len() as f64
}

#[tokio::test]
async fn the_text_models_keep_their_word() {
    let Some(data) = data_dir() else { return };
    let Some(models) = committed_models(&["lstm", "minilm", "simple_rnn", "transformer"]) else {
        return;
    };
    let server = server().models_dir(models.as_ref()).start().await;
    let client = server.client().await;
    let reviews = imdb::load(&data, |_, _| ()).expect("QUINTET_DATA_DIR holds the IMDB reviews");
    let reviews = reviews.test;
    assert_eq!(reviews.len(), 25_000);
    // For all of them, the fine-tuned encoder would take a quarter of an hour.
    let some = Reviews {
        texts: reviews.texts.iter().step_by(25).cloned().collect(),
        labels: reviews.labels.iter().step_by(25).copied().collect(),
    };
    for (model, reviews, least) in [
        ("lstm", &reviews, 0.90),
        ("simple_rnn", &reviews, 0.865),
        ("transformer", &reviews, 0.88),
        ("minilm", &some, 0.91),
    ] {
        let accuracy = accuracy(&client, model, reviews).await;
        assert!(accuracy >= least, "{model}: {accuracy}, promised {least}");
    }
}

/// Plain sentences, and ones that turn on a negation, with the labels that they should have.
const SENTENCES: &str = include_str!("../data/sentences.tsv");

#[tokio::test]
async fn sentences_are_told_apart() {
    let Some(models) = committed_models(&["lstm", "minilm", "simple_rnn", "transformer"]) else {
        return;
    };
    let server = server().models_dir(models.as_ref()).start().await;
    let client = server.client().await;
    let lines = SENTENCES.lines().map(|line| line.split_once('\t'));
    let lines = lines.map(|it| it.expect("a label, a tab and a sentence"));
    let (labels, texts): (Vec<&str>, Vec<&str>) = lines.unzip();
    for (model, least) in [
        ("minilm", 45),
        ("lstm", 43),
        ("simple_rnn", 40),
        ("transformer", 38),
    ] {
        let asked = SentimentRequest::new(texts.clone()).model(model);
        let answer = client.sentiment(asked).await.unwrap();
        let wrong: Vec<_> = labels
            .iter()
            .zip(texts.iter().zip(&answer.texts))
            .filter(|(label, (_, sentiment))| **label != sentiment.label)
            .collect();
        assert!(wrong.len() + least <= texts.len(), "{model}: {wrong:?}");
    }
    // The default model's answers to those that users try first.
    let answer = client
        .sentiment([texts[0], texts[1], texts[25], texts[27]])
        .await;
    let answer = answer.unwrap();
    assert_eq!(answer.model, "minilm");
    let told: Vec<_> = answer.texts.iter().map(|it| &*it.label).collect();
    assert_eq!(told, ["POSITIVE", "POSITIVE", "NEGATIVE", "NEGATIVE"]);
}
