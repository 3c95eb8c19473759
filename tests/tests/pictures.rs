//! The committed CNN reads pictures as people send them: on ruled paper, in bad light, beside other
//! things.

use quintet_client::{ClassifyRequest, Client, Image};
use quintet_e2e::photo::{Drawing, Kind, Rng, kinds};
use quintet_e2e::server;

use crate::support::committed_models;

/// Files of `tests/data/pictures/` and their digits.
const FILES: [(&str, &str); 6] = [
    ("three_plain.png", "3"),
    ("three_border1px.png", "3"),
    ("three_ruled.png", "3"),
    ("three_red_on_green.png", "3"),
    ("card_transparent_margin.png", "7"),
    ("grey16_8bit_range.png", "7"),
];

fn file(folder: &str, name: &str) -> Vec<u8> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    std::fs::read(format!("{root}/{folder}/{name}")).expect("the file is committed")
}

async fn digits(client: &Client, files: impl IntoIterator<Item = Vec<u8>>) -> Vec<String> {
    let images = files.into_iter().map(Image::encoded);
    let asked = ClassifyRequest::new(images).model("cnn");
    let answer = client.classify(asked).await.expect("every picture is read");
    let name =
        |it: &quintet_client::Prediction| it.top().map_or_else(String::new, |it| it.name.clone());
    answer.predictions.iter().map(name).collect()
}

#[tokio::test]
async fn files_that_were_misread_once() {
    let Some(models) = committed_models(&["cnn"]) else {
        return;
    };
    let server = server().models_dir(models.as_ref()).start().await;
    let client = server.client().await;
    let files = FILES.map(|(name, _)| file("tests/data/pictures", name));
    assert_eq!(digits(&client, files).await, FILES.map(|(_, digit)| digit));

    let cut = Image::encoded(file("tests/data/pictures", "truncated.jpg"));
    let refusal = client
        .classify(ClassifyRequest::new([cut]).model("cnn"))
        .await;
    let words = refusal
        .expect_err("half of the file is missing")
        .to_string();
    assert!(
        words.contains("images[0].encoded") && words.contains("is cut off"),
        "{words}"
    );
}

#[tokio::test]
async fn every_kind_of_picture_is_read() {
    let Some(models) = committed_models(&["cnn"]) else {
        return;
    };
    let server = server().models_dir(models.as_ref()).start().await;
    let client = server.client().await;
    let frames: Vec<Vec<u8>> = (0..10)
        .map(|digit| file("client/examples/digits", &format!("{digit}.png")))
        .map(|file| {
            image::load_from_memory(&file)
                .expect("a PNG file")
                .into_luma8()
                .into_raw()
        })
        .collect();
    for Kind { name, draw, .. } in kinds() {
        let files = frames.iter().zip(0..).map(|(frame, seed)| {
            let mut rng = Rng::with_seed(seed);
            draw(&Drawing::redrawn(frame, rng.usize(280..400)), &mut rng)
        });
        let found = digits(&client, files).await;
        let right = found
            .iter()
            .zip(0..)
            .filter(|(found, digit)| **found == digit.to_string());
        assert!(right.count() >= 9, "{name}: {found:?}");
    }
}
