//! The SDK's streams and sentiments against a whole server.

use quintet_client::{ClassifyRequest, ErrorKind, Framing, SentimentRequest};
use quintet_e2e::text::{SPEC, score, tokenizer};
use quintet_e2e::{frame, server, tiny, tiny_text};
use tokio_stream::iter;

#[tokio::test]
async fn every_request_of_a_stream_gets_its_own_answer() {
    let server = server().model(tiny("digits")).start().await;
    let client = server.client().await;
    let requests = (0..1000_usize).map(|index| {
        let frame = frame((index % 10) as u8);
        let request = ClassifyRequest::from(frame.image()).framing(Framing::None);
        if index == 5 {
            request.model("nobody")
        } else {
            request
        }
    });
    let mut answers = client.classify_stream(iter(requests));
    let mut seen = vec![false; 1000];
    while let Some((index, answer)) = answers.next().await {
        assert!(!std::mem::replace(&mut seen[index], true), "{index} twice");
        match answer {
            Ok(answer) => {
                assert_ne!(index, 5);
                let top = answer.predictions[0].top().unwrap();
                assert_eq!(top.index as usize, index % 10);
            }
            Err(error) => {
                assert_eq!((index, error.kind()), (5, &ErrorKind::NotFound), "{error}");
            }
        }
    }
    assert!(seen.into_iter().all(|it| it));
}

#[tokio::test]
async fn a_dropped_stream_leaves_the_client_and_the_server_as_they_were() {
    let server = server().model(tiny("digits")).start().await;
    let client = server.client().await;
    let endless = std::iter::repeat_with(|| frame(1).image());
    let mut answers = client.classify_stream(iter(endless));
    for _ in 0..100 {
        let (_, answer) = answers.next().await.unwrap();
        answer.unwrap();
    }
    drop(answers);
    client.classify(frame(2).image()).await.unwrap();
}

#[tokio::test]
async fn texts_are_scored() {
    let server = server().text(tiny_text("feelings")).start().await;
    let client = server.client().await;
    let long = "good film ".repeat(200);
    let texts = ["good", "bad plot", "", &long];
    let request = SentimentRequest::new(texts).model("feelings");
    let answer = client.sentiment(request).await.unwrap();
    assert_eq!(
        (answer.model.as_str(), answer.version.as_str()),
        ("feelings", "1")
    );
    for (text, sentiment) in texts.iter().zip(&answer.texts) {
        let read = tokenizer().encode(text, &SPEC).unwrap();
        let expected = match read.known {
            0 => 0.5,
            _ => score(&read.tokens),
        };
        assert!((sentiment.score - expected).abs() <= 1e-5, "{text}");
        assert_eq!(sentiment.known_tokens as usize, read.known);
        assert_eq!(sentiment.tokens as usize, read.tokens.len());
        assert_eq!(sentiment.truncated, read.truncated);
    }
    let none: [&str; 0] = [];
    let error = client
        .sentiment(SentimentRequest::new(none))
        .await
        .unwrap_err();
    assert_eq!(error.field_violations()[0].field, "texts");
}
