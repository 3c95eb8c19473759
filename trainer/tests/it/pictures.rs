//! The pictures can be read and show something.

use image::{GenericImageView, Pixel, Rgba};
use quintet_trainer::evaluate::{CLASSES, Confusion};
use quintet_trainer::plots::{confusion, curves, digits, scores};
use quintet_trainer::run_folder::EpochMetrics;

use crate::support;

/// Reads a picture and counts its pixels that are not white.
fn inspect(path: &std::path::Path, size: (u32, u32)) -> usize {
    let picture = image::open(path).unwrap();
    assert_eq!(picture.dimensions(), size);
    picture
        .pixels()
        .filter(|(_, _, it)| it.to_rgba() != Rgba([255; 4]))
        .count()
}

fn epoch(epoch: u32, loss: f64, error: f64) -> EpochMetrics {
    EpochMetrics {
        epoch,
        learning_rate: 1e-3,
        train_loss: 2.0 * loss,
        train_accuracy: 1.0 - 2.0 * error,
        validation_loss: loss,
        validation_accuracy: 1.0 - error,
        device: "cpu".to_owned(),
        seconds: 1.0,
    }
}

#[test]
fn curves_of_no_one_and_many_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("curves.png");
    let rough = |it| epoch(it, 1.0 / f64::from(it), 0.3 / f64::from(it));
    let many: Vec<_> = (1..=30).map(rough).collect();
    let mut least = 0;
    for epochs in [&[][..], &[epoch(1, 0.5, 0.0)], &many] {
        curves::draw(&path, "CNN: training", epochs, 20).unwrap();
        let ink = inspect(&path, (1200, 520));
        assert!(
            ink > least,
            "{} epochs: {ink} coloured pixels",
            epochs.len()
        );
        least = ink.min(5_000);
    }
}

#[test]
fn a_confusion_matrix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("confusion.png");
    let mut counts = Confusion::new(CLASSES);
    confusion::draw(&path, "nothing", &counts).unwrap();
    let empty = inspect(&path, (884, 820));
    for digit in 0..CLASSES {
        counts.0[digit][digit] = 980;
    }
    counts.0[4][9] = 7;
    confusion::draw(&path, "MLP: 98 %", &counts).unwrap();
    assert!(inspect(&path, (884, 820)) > empty);
    // The mistake is red, what is right is green.
    let picture = image::open(&path).unwrap().to_rgb8();
    let cell = |truth: u32, given: u32| {
        picture
            .get_pixel(84 + given * 68 + 6, 116 + truth * 68 + 6)
            .0
    };
    let ([red, green, _], [right_red, right_green, _]) = (cell(4, 9), cell(3, 3));
    assert!(red > green && right_green > right_red);
}

#[test]
fn digits_with_and_without_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits.png");
    let data = support::digits(40, 1);
    let mut probabilities = vec![0.01; 40 * CLASSES];
    for (index, &label) in data.labels.iter().enumerate() {
        probabilities[index * CLASSES + usize::from(label)] = 0.91;
    }
    let draw = |probabilities: &[f32]| {
        let judged = digits::Judged {
            pixels: &data.images,
            labels: &data.labels,
            probabilities,
        };
        digits::draw(&path, "CNN: 99 %", judged).unwrap();
        inspect(&path, (1080, 916))
    };
    let right = draw(&probabilities);
    probabilities.rotate_right(CLASSES);
    assert!(draw(&probabilities) > right, "mistakes are drawn too");
}

#[test]
fn scores_of_two_classes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scores.png");
    scores::draw(&path, "nothing", &[], &[]).unwrap();
    let empty = inspect(&path, (900, 520));
    let labels: Vec<u8> = (0..200).map(|it| it % 2).collect();
    let spread = |it: u8| f32::from(it % 2) * 0.5 + f32::from(it) / 400.0;
    let given: Vec<f32> = (0..200).map(spread).collect();
    scores::draw(&path, "LSTM: 88 %", &given, &labels).unwrap();
    assert!(inspect(&path, (900, 520)) > empty + 10_000);
}
