//! The committed generator over the wire: the committed classifier recognises its digits, all ten
//! occur, and the images are those that the README shows.

use std::path::{Path, PathBuf};

use quintet_client::{GenerateRequest, Image, ImageFormat, Layout};
use quintet_e2e::{Server, server};

use crate::generate::at_most_a_level_apart;
use crate::support::committed_models;

/// Images by which the trainer judged the generator: the first of seed 0.
const JUDGED: u32 = 10_000;
/// The least percentage of them with a confidence of at least 0.9.
const SURE: u32 = 90;

async fn committed() -> Option<Server> {
    let models = committed_models(&["cnn", "gan"])?;
    Some(server().models_dir(models.as_ref()).start().await)
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../client/examples")
}

/// The grey pixels of a picture, row by row.
fn grey(picture: &[u8]) -> Vec<u8> {
    let picture = image::load_from_memory(picture).expect("a picture");
    picture.into_luma8().into_raw()
}

#[tokio::test]
async fn most_digits_are_sure_and_none_is_rare() {
    let Some(server) = committed().await else {
        return;
    };
    let asked = GenerateRequest::new(JUDGED)
        .seed(0)
        .format(ImageFormat::Raw);
    let client = server.client().await;
    let mut stream = client.generate_stream(asked);
    let (mut sure, mut counts) = (0, [0; 10]);
    while let Some(part) = stream.next().await {
        for digit in part.expect("the stream goes on").digits {
            sure += u32::from(digit.confidence >= 0.9);
            counts[digit.digit as usize] += 1;
        }
    }
    assert_eq!(counts.iter().sum::<u32>(), JUDGED);
    assert!(sure >= JUDGED * SURE / 100, "sure of {sure}");
    // 8 to 12 %.
    let usual = JUDGED * 8 / 100..=JUDGED * 12 / 100;
    assert!(counts.iter().all(|it| usual.contains(it)), "{counts:?}");
}

#[tokio::test]
async fn a_filter_keeps_digits_that_are_sure_in_copies_too() {
    let Some(server) = committed().await else {
        return;
    };
    let client = server.client().await;
    let asked = |count| GenerateRequest::new(count).seed(7).format(ImageFormat::Raw);
    let all = client.generate(asked(400)).await.expect("all of them");
    let kept = client.generate(asked(200).min_confidence(0.9)).await;
    let kept = kept.expect("enough of them");
    let sure = |index: u64| all.digits[index as usize].confidence >= 0.9;
    let indices: Vec<u64> = kept.digits.iter().map(|it| it.index).collect();
    assert!(indices.is_sorted_by(|a, b| a < b));
    let last = indices[199];
    assert!(last < 400, "{last}");
    assert!(indices.iter().all(|index| sure(*index)));
    let all_sure = (0..=last).filter(|index| sure(*index)).count();
    assert!((240..350).contains(&all_sure), "{all_sure}");
}

#[tokio::test]
async fn the_sheet_that_the_project_shows_is_the_committed_models() {
    let Some(server) = committed().await else {
        return;
    };
    let asked = GenerateRequest::new(100).seed(1).layout(Layout::Grid);
    let drawn = server
        .client()
        .await
        .generate(asked)
        .await
        .expect("a sheet");
    let sheet = drawn.sheet.expect("a grid was asked for");
    let drawn = grey(sheet.as_encoded().expect("a PNG file"));
    let shown = std::fs::read(examples().join("generated.png")).expect("it is committed");
    assert!(at_most_a_level_apart(&drawn, &grey(&shown)));
}

#[tokio::test]
async fn the_sample_digits_are_read_as_what_they_are() {
    let Some(server) = committed().await else {
        return;
    };
    let client = server.client().await;
    for digit in 0..10 {
        let path = examples().join(format!("digits/{digit}.png"));
        let file = std::fs::read(&path).expect("it is committed");
        let answer = client.classify(Image::encoded(file)).await;
        let answer = answer.expect("a good request is answered");
        let top = answer.predictions[0].top().expect("one label");
        assert_eq!(top.name, digit.to_string(), "{}", path.display());
        assert!(top.probability >= 0.9, "{}", path.display());
    }
}
