//! The pictures can be read and show something.

use std::path::Path;

use image::{GenericImageView, Pixel, Rgba};
use quintet_trainer::data::Samples;
use quintet_trainer::evaluate::Confusion;
use quintet_trainer::plots::curves::{self, Panel};
use quintet_trainer::plots::{Classified, confusion, images, scores};
use tch::Device;

use crate::support;

const CLASSES: usize = 10;

/// Reads a picture and counts its pixels that are not white.
fn inspect(path: &Path, size: (u32, u32)) -> usize {
    let picture = image::open(path).unwrap();
    assert_eq!(picture.dimensions(), size);
    picture
        .pixels()
        .filter(|(_, _, it)| it.to_rgba() != Rgba([255; 4]))
        .count()
}

fn classified<'a>(
    samples: &'a Samples,
    (labels, truths): (&'a [&'a str], &'a [i64]),
    probabilities: &'a [f32],
    confusion: &'a Confusion,
) -> Classified<'a> {
    Classified {
        title: "CNN: 99 %",
        samples,
        labels,
        truths,
        probabilities,
        confusion,
    }
}

const NAMES: [&str; CLASSES] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

fn samples() -> Samples {
    Samples::from_digits(&support::digits(40, 1), Device::Cpu)
}

#[test]
fn curves_of_no_one_and_many_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("curves.png");
    let panel = |values: &[f64]| Panel {
        title: "Loss",
        unit: "",
        lines: [
            ("training", values.iter().map(|it| 2.0 * it).collect()),
            ("validation", values.to_vec()),
        ],
    };
    let many: Vec<f64> = (1..=30).map(|it| 1.0 / f64::from(it)).collect();
    let mut least = 0;
    for (losses, errors) in [(&[][..], &[][..]), (&[0.5], &[0.0]), (&many, &many)] {
        let panels = [panel(losses), panel(errors)];
        curves::draw(&path, "CNN: training", 19, &panels).unwrap();
        let ink = inspect(&path, (1200, 520));
        assert!(
            ink > least,
            "{} epochs: {ink} coloured pixels",
            losses.len()
        );
        least = ink.min(5_000);
    }
}

#[test]
fn a_confusion_matrix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("confusion.png");
    let samples = samples();
    let draw = |counts: &Confusion| {
        confusion::draw(&path, &classified(&samples, (&NAMES, &[]), &[], counts)).unwrap();
    };
    let mut counts = Confusion::new(CLASSES);
    draw(&counts);
    let empty = inspect(&path, (884, 820));
    for digit in 0..CLASSES {
        counts.0[digit][digit] = 980;
    }
    counts.0[4][9] = 7;
    draw(&counts);
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
fn images_with_and_without_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images.png");
    let samples = samples();
    let truths = samples.label_values();
    let mut probabilities = vec![0.01; 40 * CLASSES];
    for (index, &label) in truths.iter().enumerate() {
        probabilities[index * CLASSES + label as usize] = 0.91;
    }
    let confusion = Confusion::new(CLASSES);
    let draw = |probabilities: &[f32]| {
        let judged = classified(&samples, (&NAMES, &truths), probabilities, &confusion);
        images::draw(&path, &judged).unwrap();
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
    let (samples, confusion) = (samples(), Confusion::new(2));
    let draw = |truths: &[i64], scores: &[f32]| {
        scores::draw(
            &path,
            &classified(&samples, (&[], truths), scores, &confusion),
        )
        .unwrap();
        inspect(&path, (900, 520))
    };
    let empty = draw(&[], &[]);
    let truths: Vec<i64> = (0..200).map(|it| it % 2).collect();
    let spread = |it: u8| f32::from(it % 2) * 0.5 + f32::from(it) / 400.0;
    let given: Vec<f32> = (0..200).map(spread).collect();
    assert!(draw(&truths, &given) > empty + 10_000);
}
