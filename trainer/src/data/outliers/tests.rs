//! What the trainer draws, and what a batch gets of it.

use super::*;

fn digits() -> Samples {
    // Tests run beside each other and share libtorch's generator.
    let mut random = SplitMix64::new(1);
    let pixels: Vec<u8> = (0..30 * SIDE * SIDE)
        .map(|_| random.below(256) as u8)
        .collect();
    Samples {
        inputs: vec![Tensor::from_slice(&pixels).reshape([30, SIDE as i64, SIDE as i64])],
        labels: Tensor::arange(30, (Kind::Int64, Device::Cpu)).remainder(10),
        texts: None,
    }
}

/// Frames of every kind, as many as asked for.
fn outliers(count: usize) -> Vec<[u8; SIDE * SIDE]> {
    let samples = digits();
    let labels = samples.label_values();
    let pixels = Vec::<u8>::try_from(samples.inputs[0].flatten(0, -1)).unwrap();
    let digits = shapes::Digits::new(&pixels, &labels);
    let mut random = SplitMix64::new(7);
    (0..count)
        .map(|_| bytes(&outlier(&digits, &mut random)))
        .collect()
}

#[test]
fn every_outlier_has_light_and_dark() {
    let frames = outliers(500);
    for (place, frame) in frames.iter().enumerate() {
        assert!(frame.iter().any(|level| *level > 120), "{place}");
        assert!(frame.iter().any(|level| *level < 50), "{place}");
    }
    assert_eq!(frames[..50], outliers(50), "the same seed");
}

#[test]
fn what_the_pen_draws_is_framed_as_mnist_frames_digits() {
    let mut random = SplitMix64::new(9);
    let signs = glyphs::LETTERS.iter().chain(&glyphs::SYMBOLS);
    for glyph in signs.chain(glyphs::DIGITS.iter().copied().flatten()) {
        let frame = draw(glyph, &mut random);
        let lit = |index: &usize| frame[*index] > 0.25;
        let all: Vec<usize> = (0..SIDE * SIDE).filter(lit).collect();
        let extent = |place: fn(usize) -> usize| {
            let places = || all.iter().map(|index| place(*index));
            places().max().unwrap() - places().min().unwrap() + 1
        };
        let longer = extent(|it| it % SIDE).max(extent(|it| it / SIDE));
        assert!((16..=21).contains(&longer), "{glyph}: {longer}");
        let mut mass = [0.0; 3];
        for (index, level) in frame.iter().enumerate() {
            mass[0] += level * (index % SIDE) as f32;
            mass[1] += level * (index / SIDE) as f32;
            mass[2] += level;
        }
        let centre = [mass[0] / mass[2], mass[1] / mass[2]];
        assert!(
            centre.iter().all(|at| (at - 13.5).abs() < 1.0),
            "{glyph}: {centre:?}"
        );
    }
}

#[test]
fn a_batch_is_followed_by_labelled_digits_and_then_outliers() {
    let samples = digits();
    let pool = Pool::new(&samples, 1, Device::Cpu);
    let (pixels, labels) = pool.extend((&samples.inputs[0], &samples.labels), 0.1, 0.2);
    assert_eq!(pixels.size(), [39, 28, 28]);
    assert_eq!(labels.size(), [33]);
    assert_eq!(pixels.narrow(0, 0, 30), samples.inputs[0]);
    assert_eq!(labels.narrow(0, 0, 30), samples.labels);
}

#[test]
fn the_least_divergence_leaves_out_the_part_that_is_asked_for() {
    let settings = Outliers {
        part: 0.0,
        drawn_digits: 0.0,
        unreadable: 0.1,
    };
    // Of 50 rows, the one at `place` is sure by its place, in an order that is mixed.
    let rows = (0..50).map(|place| 0.5 + 0.01 * ((place * 7) % 50) as f32);
    let rows: Vec<f32> = rows.flat_map(|it| [1.0 - it, it]).collect();
    let probabilities = Tensor::from_slice(&rows).reshape([50, 2]);
    let least = settings.least_divergence(&probabilities);
    let expected = divergence_from_uniform(&[0.45, 0.55]);
    assert!((least - expected).abs() < 1e-5, "{least}");
    assert!((unreadable(&probabilities, least) - 0.1).abs() < 1e-9);
    assert!(unreadable(&probabilities, 0.0).abs() < 1e-9);
}
