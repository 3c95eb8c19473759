//! Pictures of something else than a digit.

use std::f32::consts::TAU;

use super::blank::{Blank, blank};
use super::letters::{CAPITALS, DIGITS, Point, SIGNS, SMALL_LETTERS, Sign, lines, stroke, written};
use super::page::Page;
use super::{Rng, between};

/// Drawings of lines: a house, a face, a tree, a fish, a flower, a car.
const DRAWINGS: [Sign; 6] = [
    "09 04 40 84 89 09/39 36 56 59",
    "30 60 83 86 69 39 16 13 30/33 34/63 64/36 47 57 66",
    "49 45/40 13 33 05 95 63 83 50",
    "04 22 52 74 92 97 75 57 27 05/23 24",
    "44 40 33 04 34 08 44/44 80 84 88 44 49",
    "06 16 33 63 76 96 98 08 06/28 27/78 77",
];

pub(super) const OTHERS: [Blank; 11] = [
    blank("capital letters", |rng| one_of(&CAPITALS, rng).png()),
    blank("small letters", |rng| one_of(&SMALL_LETTERS, rng).png()),
    blank("words of two to four letters", |rng| {
        let letters = rng.usize(2..5);
        row_of(&SMALL_LETTERS, letters, rng)
    }),
    blank("numbers of three to seven digits", |rng| {
        let digits = rng.usize(3..8);
        row_of(&DIGITS, digits, rng)
    }),
    blank("barcodes", barcode),
    blank("signs", |rng| one_of(&SIGNS, rng).png()),
    blank("drawings", |rng| one_of(&DRAWINGS, rng).png()),
    blank("scribbles", |rng| {
        let mut at = [5.0, 5.0];
        let mut heading = between(rng, 0.0, TAU);
        let mut line = vec![at];
        for _ in 0..rng.usize(30..90) {
            heading += between(rng, -1.2, 1.2);
            let (sine, cosine) = heading.sin_cos();
            at = [at[0] + cosine, at[1] + sine].map(|it: f32| it.clamp(0.0, 10.0));
            line.push(at);
        }
        written(&[line], rng).png()
    }),
    blank("hands", hand),
    blank("textures", texture),
    blank("clouds", clouds),
];

fn row_of(signs: &[Sign], count: usize, rng: &mut Rng) -> Vec<u8> {
    let mut row = Vec::new();
    for place in 0..count {
        let sign = signs[rng.usize(..signs.len())];
        let right = 10.0 * place as f32;
        let moved = |line: Vec<Point>| line.into_iter().map(|[x, y]| [x + right, y]).collect();
        row.extend(lines(sign).into_iter().map(moved));
    }
    written(&row, rng).png()
}

/// Bars of several widths beside each other, wide apart or narrow.
fn barcode(rng: &mut Rng) -> Vec<u8> {
    let (unit, bars) = (rng.usize(1..5), rng.usize(10..40));
    let (high, margin) = (rng.usize(60..200), rng.usize(10..60));
    let widths: Vec<usize> = (0..2 * bars).map(|_| unit * rng.usize(1..4)).collect();
    let length: usize = widths.iter().sum();
    let mut page = Page::new(
        length + 2 * margin,
        high + 2 * margin,
        between(rng, 200.0, 255.0),
    );
    let (ink, mut left) = (between(rng, 0.0, 80.0), margin);
    for bar in widths.chunks(2) {
        page.fill([left, margin, left + bar[0], margin + high], ink);
        left += bar[0] + bar[1];
    }
    page.png()
}

fn one_of(signs: &[Sign], rng: &mut Rng) -> Page {
    written(&lines(signs[rng.usize(..signs.len())]), rng)
}

/// A hand with its fingers apart, on a light or a dark ground.
fn hand(rng: &mut Rng) -> Vec<u8> {
    let side = rng.usize(180..300);
    let unit = side as f32 / 10.0;
    let mut page = Page::new(side, side, 255.0);
    let skin = between(rng, 60.0, 170.0);
    let turn = between(rng, -0.6, 0.6);
    let place = |x: f32, y: f32| {
        let (sine, cosine) = turn.sin_cos();
        [5.0 + x * cosine - y * sine, 6.0 + x * sine + y * cosine].map(|it| it * unit)
    };
    stroke(
        &mut page,
        [place(-0.4, 0.0), place(0.4, 0.0)],
        2.6 * unit,
        skin,
    );
    stroke(
        &mut page,
        [place(0.0, 0.5), place(0.0, 4.0)],
        1.8 * unit,
        skin,
    );
    let spread = between(rng, 0.8, 1.3);
    for finger in 0..5 {
        let lean = (finger as f32 - 2.0) * 0.35 * spread;
        let long = [2.6, 3.6, 4.0, 3.5, 2.4][finger] + between(rng, -0.3, 0.3);
        let (sine, cosine) = lean.sin_cos();
        let ends = [
            place(1.2 * sine, -1.2 * cosine),
            place(long * sine, -long * cosine),
        ];
        stroke(&mut page, ends, between(rng, 0.65, 0.85) * unit, skin);
    }
    if rng.bool() {
        page.each(|_, _, level| 255.0 - level);
    }
    page.grain(between(rng, 0.0, 4.0), rng);
    page.png()
}

/// Bricks, cloth, a fence, waves or rings of wood.
fn texture(rng: &mut Rng) -> Vec<u8> {
    let mut page = Page::new(rng.usize(120..300), rng.usize(120..300), 0.0);
    let (step, phase) = (between(rng, 12.0, 50.0), between(rng, 0.0, 10.0));
    let turn = between(rng, 0.0, TAU);
    let (sine, cosine) = turn.sin_cos();
    let (low, high) = (between(rng, 0.0, 100.0), between(rng, 140.0, 255.0));
    let kind = rng.usize(0..5);
    page.each(|x, y, _| {
        let (x, y) = ((x as f32 + phase) / step, (y as f32 + phase) / step);
        let (u, v) = (x * cosine - y * sine, x * sine + y * cosine);
        let part = match kind {
            0 => {
                let row = (2.0 * y).floor();
                let mortar = |at: f32| f32::from(at.rem_euclid(1.0) > 0.12);
                mortar(2.0 * y) * mortar(x + 0.5 * row.rem_euclid(2.0))
            }
            1 => 0.5 + 0.25 * (TAU * 2.0 * u).sin() + 0.25 * (TAU * 2.0 * v).sin(),
            2 => f32::from(u.rem_euclid(1.0) > 0.4),
            3 => 0.5 + 0.5 * (TAU * (u + 0.3 * (3.0 * v).sin())).sin(),
            _ => 0.5 + 0.5 * (TAU * x.hypot(0.4 * y)).sin(),
        };
        low + (high - low) * part
    });
    page.grain(between(rng, 0.0, 6.0), rng);
    page.png()
}

/// Smooth noise: clouds, stains, a photo out of focus.
fn clouds(rng: &mut Rng) -> Vec<u8> {
    let (width, height) = (rng.usize(60..250), rng.usize(60..250));
    let mut page = Page::new(width, height, 128.0);
    for _ in 0..24 {
        let longest = width.max(height) as f32;
        let length = between(rng, longest / 6.0, longest);
        let (sine, cosine) = between(rng, 0.0, TAU).sin_cos();
        let (phase, strength) = (between(rng, 0.0, TAU), between(rng, 8.0, 26.0));
        page.each(|x, y, level| {
            let along = (x as f32 * cosine + y as f32 * sine) / length;
            level + strength * (TAU * along + phase).sin()
        });
    }
    page.png()
}
