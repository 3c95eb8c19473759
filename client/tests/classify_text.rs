//! `quintet classify-text` and the SDK's call against a scripted server.

use quintet_client::{ClassifyTextRequest, Client, TextInput};

use crate::{quintet::run, support::FakeServer};

async fn printed(args: &[&str]) -> String {
    let server = FakeServer::answering().await;
    let args: Vec<_> = ["classify-text"].iter().chain(args).copied().collect();
    let finished = run(&server.url(), &args).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    finished.stdout
}

#[tokio::test]
async fn labels_are_printed_with_the_text_beside_the_first() {
    let one = printed(&["it rains", ""]).await;
    assert_eq!(one, "yes       0.8750  it rains\nyes       0.8750\n");
    let all = printed(&["it rains", "--top-k", "5", "--text-pair", "wet", "--logits"]).await;
    assert_eq!(
        all,
        "yes       0.7500    1.0000  it rains\nno        0.2500   -1.0000\n"
    );
    assert_eq!(
        printed(&["count the stars"]).await,
        "4.5000  count the stars\n"
    );
}

#[tokio::test]
async fn json_has_all_that_the_server_says() {
    let args = [
        "it rains",
        "--text-pair",
        "wet",
        "--model",
        "nli",
        "--strict",
        "--json",
    ];
    assert_eq!(
        printed(&args).await,
        r#"{"text":"it rains","text_pair":"wet","labels":[{"name":"yes","index":1,"probability":0.75}],"logits":[],"tokens":3,"truncated":true,"model":"nli!","version":"1"}
"#
    );
}

#[tokio::test]
async fn a_text_that_was_cut_is_noted() {
    let server = FakeServer::answering().await;
    let args = ["classify-text", "it  rains", "--strict"];
    let finished = run(&server.url(), &args).await;
    assert_eq!(finished.stdout, "yes       0.8750  it rains\n");
    let note = "note: \"it rains\": truncated: the model read 3 tokens of it\n";
    assert_eq!(finished.stderr, note);
}

#[tokio::test]
async fn the_sdk_takes_texts_and_pairs() {
    let server = FakeServer::answering().await;
    let client = Client::builder(server.url()).connect().await.unwrap();
    assert_eq!(
        client.classify_text("it rains").await.unwrap().texts.len(),
        1
    );
    let texts = [
        TextInput::new("it rains"),
        TextInput::pair("it rains", "wet"),
    ];
    let request = ClassifyTextRequest::new(texts).top_k(2).return_logits(true);
    let answer = client.classify_text(request).await.unwrap();
    let sure = answer.texts.iter().map(|it| it.labels[0].probability);
    assert!(sure.eq([0.875, 0.75]));
    assert_eq!(answer.texts[1].logits, [-1.0, 1.0]);
    assert_eq!(answer.texts[1].labels.len(), 2);
}
