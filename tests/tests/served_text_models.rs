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
    let Some(models) = committed_models(&["lstm", "simple_rnn", "transformer"]) else {
        return;
    };
    let server = server().models_dir(models.as_ref()).start().await;
    let client = server.client().await;
    let reviews = imdb::load(&data, |_, _| ()).expect("QUINTET_DATA_DIR holds the IMDB reviews");
    let reviews = reviews.test;
    assert_eq!(reviews.len(), 25_000);
    for (model, least) in [("lstm", 0.88), ("simple_rnn", 0.84), ("transformer", 0.88)] {
        let accuracy = accuracy(&client, model, &reviews).await;
        assert!(accuracy >= least, "{model}: {accuracy}, promised {least}");
    }
}

/// The README's example, with the default model.
#[tokio::test]
async fn two_sentences_are_told_apart() {
    let Some(models) = committed_models(&["lstm", "simple_rnn"]) else {
        return;
    };
    let server = server().models_dir(models.as_ref()).start().await;
    let texts = ["I love this movie!", "What a waste of two hours."];
    let answer = server.client().await.sentiment(texts).await.unwrap();
    assert_eq!(answer.model, "lstm");
    let [good, bad] = &answer.texts[..] else {
        panic!("two texts, {answer:?}");
    };
    assert!(good.label == "POSITIVE" && good.score > 0.8, "{good:?}");
    assert!(bad.label == "NEGATIVE" && bad.score < 0.2, "{bad:?}");
}
