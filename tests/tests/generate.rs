//! Digits from noise: a function of their seed, named by the classifier, in the form that was asked
//! for.

use std::collections::BTreeSet;

use quintet_e2e::{
    CLASSES, Frame, Server, ServerBuilder, TinyGenerator, near, server, tiny, tiny_generator,
};
use quintet_proto::v1;
use quintet_proto::v1::image::Source;
use tokio::task::JoinSet;
use tonic::Status;

use crate::support::committed_models;

/// A generator and a classifier that names its digits.
pub(crate) fn with_models() -> ServerBuilder {
    server()
        .generator(tiny_generator("gan"))
        .model(tiny("judge").digits())
}

/// So many images of seed 5, as pixels.
pub(crate) fn asked(count: u32) -> v1::GenerateDigitsRequest {
    v1::GenerateDigitsRequest {
        count,
        seed: Some(5),
        format: v1::ImageFormat::Raw.into(),
        ..Default::default()
    }
}

pub(crate) async fn generate(
    server: &Server,
    request: v1::GenerateDigitsRequest,
) -> Result<v1::GenerateDigitsResponse, Status> {
    let answer = server.raw().await.generate_digits(request).await;
    answer.map(tonic::Response::into_inner)
}

pub(crate) fn pixels(image: Option<&v1::Image>) -> &[u8] {
    match image.and_then(|image| image.source.as_ref()) {
        Some(Source::Raw(raw)) if raw.channels == 1 => &raw.data,
        other => panic!("no pixels: {other:?}"),
    }
}

/// The grey pixels of a PNG file: its sides, and they.
fn png(image: Option<&v1::Image>) -> ((u32, u32), Vec<u8>) {
    let Some(Source::Encoded(file)) = image.and_then(|image| image.source.as_ref()) else {
        panic!("no file: {image:?}");
    };
    let image = image::load_from_memory_with_format(file, image::ImageFormat::Png);
    let image = image.expect("the file is a PNG");
    assert_eq!(image.color(), image::ColorType::L8);
    let image = image.into_luma8();
    (image.dimensions(), image.into_raw())
}

/// What the tiny classifier calls these pixels, and how surely.
pub(crate) fn verdict(pixels: &[u8]) -> (u32, f32) {
    let probabilities = Frame(pixels.to_vec()).probabilities(0);
    let digits = 0..CLASSES as u32;
    let verdicts = digits.zip(probabilities);
    let likeliest = verdicts.max_by(|a, b| a.1.total_cmp(&b.1));
    likeliest.expect("there are classes")
}

pub(crate) fn at_most_a_level_apart(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.abs_diff(*b) <= 1)
}

/// Checks that these are the same images.
#[track_caller]
pub(crate) fn assert_same(one: &[v1::GeneratedDigit], other: &[v1::GeneratedDigit]) {
    assert_eq!(one.len(), other.len());
    for (one, other) in one.iter().zip(other) {
        assert_eq!((one.index, one.digit), (other.index, other.digit));
        // A grey level more is about 3 % in a tiny classifier.
        assert!((one.confidence - other.confidence).abs() < 0.05);
        let (a, b) = (pixels(one.image.as_ref()), pixels(other.image.as_ref()));
        assert!(at_most_a_level_apart(a, b), "image {}", one.index);
    }
}

#[tokio::test]
async fn images_are_those_of_their_seed_and_named_by_the_classifier() {
    let server = with_models().start().await;
    let answer = generate(&server, asked(40)).await.unwrap();
    assert_eq!((answer.seed, answer.candidates), (5, 40));
    assert_eq!((&*answer.model, &*answer.version), ("gan", "1"));
    assert_eq!(
        (&*answer.classifier, &*answer.classifier_version),
        ("judge", "1")
    );
    assert_eq!(answer.timing.unwrap().batch_size, 32);
    assert_eq!(answer.sheet, None);
    assert_eq!(answer.digits.len(), 40);
    for (index, digit) in answer.digits.iter().enumerate() {
        assert_eq!(digit.index, index as u64);
        let pixels = pixels(digit.image.as_ref());
        let expected = tiny_generator("gan").pixels(5, digit.index);
        assert!(at_most_a_level_apart(pixels, &expected), "image {index}");
        let (name, confidence) = verdict(pixels);
        assert_eq!(digit.digit, name);
        assert!(near(digit.confidence, confidence), "{digit:?}");
    }
    let digits: BTreeSet<u32> = answer.digits.iter().map(|digit| digit.digit).collect();
    assert!(digits.len() > 6, "{digits:?}");
    assert_same(
        &generate(&server, asked(40)).await.unwrap().digits,
        &answer.digits,
    );
    let other = v1::GenerateDigitsRequest {
        seed: Some(u64::MAX),
        ..asked(1)
    };
    let other = generate(&server, other).await.unwrap();
    let expected = tiny_generator("gan").pixels(u64::MAX, 0);
    let pixels = pixels(other.digits[0].image.as_ref());
    assert!(at_most_a_level_apart(pixels, &expected));
}

/// The same seeds on other servers, where each request's rows ride with many others'.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batching_changes_no_image() {
    let alone = with_models().max_batch_size(1).start().await;
    let together = with_models().max_batch_size(7).instances(2).start().await;
    let request = |seed| v1::GenerateDigitsRequest {
        seed: Some(seed),
        ..asked(10 + seed as u32 * 3)
    };
    let mut callers = JoinSet::new();
    for seed in 0..12 {
        let mut client = together.raw().await;
        callers.spawn(async move {
            let answer = client.generate_digits(request(seed)).await;
            (seed, answer.unwrap().into_inner())
        });
    }
    while let Some(answer) = callers.join_next().await {
        let (seed, answer) = answer.unwrap();
        let expected = generate(&alone, request(seed)).await.unwrap();
        assert_eq!(expected.timing.unwrap().batch_size, 1);
        assert_same(&answer.digits, &expected.digits);
    }
}

#[tokio::test]
async fn a_seed_is_drawn_where_none_is_given_and_gives_the_same_again() {
    let server = with_models().start().await;
    let any = v1::GenerateDigitsRequest {
        seed: None,
        ..asked(3)
    };
    let one = generate(&server, any.clone()).await.unwrap();
    let other = generate(&server, any).await.unwrap();
    assert_ne!(one.seed, other.seed);
    for answer in [one, other] {
        assert!(answer.seed < 1 << 63);
        let again = v1::GenerateDigitsRequest {
            seed: Some(answer.seed),
            ..asked(3)
        };
        let again = generate(&server, again).await.unwrap();
        assert_same(&again.digits, &answer.digits);
    }
}

#[tokio::test]
async fn a_png_holds_the_pixels() {
    let server = with_models().start().await;
    // As many as are written on another thread.
    let raw = generate(&server, asked(60)).await.unwrap();
    for format in [v1::ImageFormat::Unspecified, v1::ImageFormat::Png] {
        let files = v1::GenerateDigitsRequest {
            format: format.into(),
            ..asked(60)
        };
        let files = generate(&server, files).await.unwrap();
        assert_eq!(files.digits.len(), 60);
        for (file, raw) in files.digits.iter().zip(&raw.digits) {
            let (sides, found) = png(file.image.as_ref());
            assert_eq!(sides, (28, 28));
            let expected = pixels(raw.image.as_ref());
            assert!(at_most_a_level_apart(&found, expected), "{}", file.index);
        }
    }
}

#[tokio::test]
async fn a_sheet_holds_all_images_row_by_row() {
    let server = with_models().start().await;
    for (count, columns, rows) in [(1, 1, 1), (7, 3, 3), (100, 10, 10)] {
        let single = generate(&server, asked(count)).await.unwrap();
        for format in [v1::ImageFormat::Png, v1::ImageFormat::Raw] {
            let grid = v1::GenerateDigitsRequest {
                layout: v1::Layout::Grid.into(),
                format: format.into(),
                ..asked(count)
            };
            let grid = generate(&server, grid).await.unwrap();
            let sides = (columns * 28, rows * 28);
            let sheet = if format == v1::ImageFormat::Raw {
                pixels(grid.sheet.as_ref()).to_vec()
            } else {
                let (found, sheet) = png(grid.sheet.as_ref());
                assert_eq!(found, sides);
                sheet
            };
            let sheet = image::GrayImage::from_raw(sides.0, sides.1, sheet).unwrap();
            assert_eq!(grid.digits.len(), count as usize);
            for place in 0..columns * rows {
                let (x, y) = (place % columns * 28, place / columns * 28);
                let cell = image::imageops::crop_imm(&sheet, x, y, 28, 28).to_image();
                let blank = [0; 784];
                let expected = match single.digits.get(place as usize) {
                    Some(digit) => pixels(digit.image.as_ref()),
                    None => &blank[..],
                };
                assert!(at_most_a_level_apart(&cell, expected), "{count}: {place}");
            }
            for (digit, single) in grid.digits.iter().zip(&single.digits) {
                assert_eq!(digit.image, None);
                assert_eq!((digit.digit, digit.index), (single.digit, single.index));
            }
        }
    }
}

#[tokio::test]
async fn labels_name_the_digits_in_whatever_order_they_come() {
    let server = with_models()
        .model(tiny("turned").turn(3).digits())
        .default_classifier("judge")
        .start()
        .await;
    let answer = generate(&server, asked(30)).await.unwrap();
    let turned = v1::GenerateDigitsRequest {
        classifier: "turned".to_owned(),
        ..asked(30)
    };
    let turned = generate(&server, turned).await.unwrap();
    assert_eq!(turned.classifier, "turned");
    assert_same(&turned.digits, &answer.digits);
}

#[tokio::test]
async fn a_generator_is_chosen_by_name_version_or_default() {
    let server = with_models()
        .generator(tiny_generator("another"))
        .generator(tiny_generator("gan").version(2))
        .default_generator("gan")
        .start()
        .await;
    for (name, version, expected) in [
        ("", "", ("gan", "2")),
        ("", "1", ("gan", "1")),
        ("gan", "1", ("gan", "1")),
        ("another", "", ("another", "1")),
    ] {
        let request = v1::GenerateDigitsRequest {
            model: name.to_owned(),
            version: version.to_owned(),
            ..asked(1)
        };
        let answer = generate(&server, request).await.unwrap();
        assert_eq!((&*answer.model, &*answer.version), expected);
    }
    let mut client = server.raw().await;
    let models = client.list_models(v1::ListModelsRequest {}).await;
    let models = models.unwrap().into_inner().models;
    let defaults: Vec<_> = models
        .iter()
        .filter(|model| model.is_default)
        .map(|model| (&*model.name, &*model.version, model.task()))
        .collect();
    assert_eq!(
        defaults,
        [
            ("gan", "2", v1::Task::ImageGeneration),
            ("judge", "1", v1::Task::ImageClassification)
        ]
    );
}

/// Pictures that a trained classifier knows: the committed one's own golden samples, as it names
/// them.
#[tokio::test]
async fn the_committed_classifier_names_what_a_generator_draws() {
    let Some(models) = committed_models(&["cnn"]) else {
        return;
    };
    let bundle = quintet_bundle::Bundle::open(&models.as_ref().join("cnn/1")).unwrap();
    let samples = bundle.golden().inputs["pixels"].bytes().to_vec();
    let generator: TinyGenerator = tiny_generator("gan").frames(samples);
    generator.write(models.as_ref());
    let server = server().models_dir(models.as_ref()).start().await;
    let eights = v1::GenerateDigitsRequest {
        digit: Some(8),
        ..asked(20)
    };
    let answer = generate(&server, eights).await.unwrap();
    assert_eq!(answer.classifier, "cnn");
    assert_eq!(answer.digits.len(), 20);
    for digit in &answer.digits {
        assert!(digit.digit == 8 && digit.confidence >= 0.9, "{digit:?}");
        let expected = generator.pixels(5, digit.index);
        let pixels = pixels(digit.image.as_ref());
        assert!(at_most_a_level_apart(pixels, &expected));
    }
    // About one candidate in ten is drawn after that sample.
    assert!((60..600).contains(&answer.candidates), "{answer:?}");
}

#[tokio::test]
async fn without_a_named_classifier_the_first_that_knows_the_digits_judges() {
    let models = || with_models().model(tiny("animals"));
    // Without a configuration, `animals` is not the default; by the configuration it is, and knows
    // no digits.
    for server in [models(), models().default_classifier("animals")] {
        let answer = generate(&server.start().await, asked(2)).await.unwrap();
        assert_eq!(answer.classifier, "judge");
    }
    let server = models()
        .model(tiny("other").digits())
        .default_classifier("other");
    let answer = generate(&server.start().await, asked(2)).await.unwrap();
    assert_eq!(answer.classifier, "other", "a default that knows them wins");
    let server = server_without_digits().start().await;
    let status = generate(&server, asked(2)).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    assert!(status.message().contains("`animals` cannot name digits"));
}

fn server_without_digits() -> ServerBuilder {
    server()
        .generator(tiny_generator("gan"))
        .model(tiny("animals"))
}
