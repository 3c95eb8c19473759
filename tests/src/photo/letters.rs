//! Block letters, digits and signs of straight lines.
//!
//! The trainer draws letters, too (`trainer/src/data/outliers/`), by another table with another
//! pen: a model is not to be judged by what it learnt from. Letters that some hands write like a
//! digit are in neither: B b G g I i J j l O o q S s y Z z.

use super::page::Page;
use super::{Rng, between};

/// A place, from the left and from the top.
pub(super) type Point = [f32; 2];

/// A sign's lines: two digits are a point in a square of 10×10, `/` ends a line.
pub(super) type Sign = &'static str;

// A, C, D, E, F, H, K, L, M, N, P, Q, R, T, U, V, W, X, Y
pub(super) const CAPITALS: [Sign; 19] = [
    "09 40 50 99/26 76",
    "81 70 20 02 07 29 79 88",
    "10 60 83 86 69 19 10",
    "80 10 19 89/15 65",
    "80 10 19/14 64",
    "10 19/80 89/15 85",
    "10 19/80 15 89",
    "10 19 79",
    "09 10 46 80 99",
    "09 00 89 80",
    "19 10 70 82 84 75 15",
    "30 12 17 39 69 87 82 60 30/56 99",
    "19 10 70 82 83 74 14/44 89",
    "00 80/40 49",
    "10 17 39 59 77 70",
    "00 49 80",
    "00 29 53 69 90",
    "00 89/80 09",
    "00 44 80/44 49",
];

// a, c, d, e, f, h, k, m, n, p, r, t, u, v, w, x
pub(super) const SMALL_LETTERS: [Sign; 16] = [
    "14 33 63 75 79/75 35 16 18 39 69 78",
    "74 63 33 15 17 39 69 78",
    "70 79/75 54 34 16 18 39 59 78",
    "16 86 75 54 34 16 18 39 79",
    "80 60 41 49/24 74",
    "20 29/25 44 64 75 79",
    "20 29/73 26 79",
    "03 09/04 23 43 54 59/54 73 83 94 99",
    "23 29/24 43 63 74 79",
    "23 29/23 63 74 75 66 26",
    "23 29/25 43 73",
    "30 38 49 69/13 63",
    "13 17 29 59 77/73 79",
    "13 49 73",
    "03 29 54 69 93",
    "13 79/73 19",
];

// + # * % arrows € triangle square with its diagonals, diamond ~ comb
pub(super) const SIGNS: [Sign; 12] = [
    "40 48/04 84",
    "30 29/70 69/03 93/06 96",
    "40 48/11 77/71 17",
    "80 19/00 20 22 02 00/77 97 99 79 77",
    "05 95/62 95 68",
    "40 49/13 40 73",
    "80 50 22 27 59 89/04 64/05 65",
    "40 89 09 40",
    "00 90 99 09 00/00 99/90 09",
    "40 84 49 04 40",
    "06 24 44 66 86 94",
    "00 90/00 09/30 39/60 69/90 99",
];

// 0 to 9
pub(super) const DIGITS: [Sign; 10] = [
    "40 12 17 49 77 72 40",
    "22 40 49",
    "12 30 60 73 09 89",
    "11 40 72 44 76 49 08",
    "60 06 86/60 69",
    "80 10 14 54 77 49 08",
    "60 13 07 39 69 76 54 15",
    "00 80 29",
    "40 12 44 77 49 07 44 72 40",
    "74 33 12 40 72 74 59",
];

/// The lines of a sign.
pub(super) fn lines(sign: Sign) -> Vec<Vec<Point>> {
    let point = |it: &str| [0, 1].map(|place| f32::from(it.as_bytes()[place] - b'0'));
    let line = |it: &str| it.split(' ').map(point).collect();
    sign.split('/').map(line).collect()
}

/// Light paper with these lines, drawn in dark ink with a round pen, somewhat turned and slanted.
pub(super) fn written(lines: &[Vec<Point>], rng: &mut Rng) -> Page {
    let (turn, slant) = (between(rng, -0.15, 0.15), between(rng, -0.25, 0.25));
    let (across, down) = (between(rng, 8.0, 13.0), between(rng, 11.0, 17.0));
    let margin = between(rng, 25.0, 50.0);
    let (sine, cosine) = turn.sin_cos();
    let place = |[x, y]: Point| {
        let (x, y) = (x * across - slant * y * down, y * down);
        [x * cosine - y * sine, x * sine + y * cosine]
    };
    let points = || lines.iter().flatten().map(|point| place(*point));
    let ends = |axis: usize| {
        let ends = (f32::INFINITY, f32::NEG_INFINITY);
        points().fold(ends, |(least, most), it| {
            (least.min(it[axis]), most.max(it[axis]))
        })
    };
    let (across, down) = (ends(0), ends(1));
    let size = [across, down].map(|(least, most)| (most - least + 2.0 * margin) as usize);
    let at = |point: &Point| {
        let [x, y] = place(*point);
        [x - across.0 + margin, y - down.0 + margin]
    };
    let mut page = Page::new(size[0], size[1], between(rng, 200.0, 255.0));
    let (pen, ink) = (between(rng, 5.0, 18.0), between(rng, 0.0, 80.0));
    for line in lines {
        for ends in line.windows(2) {
            stroke(&mut page, [at(&ends[0]), at(&ends[1])], pen, ink);
        }
    }
    page
}

/// Draws a line with round ends.
pub(super) fn stroke(page: &mut Page, [from, to]: [Point; 2], pen: f32, ink: f32) {
    let along = [to[0] - from[0], to[1] - from[1]];
    let square = (along[0] * along[0] + along[1] * along[1]).max(f32::MIN_POSITIVE);
    page.each(|x, y, paper| {
        let off = [x as f32 - from[0], y as f32 - from[1]];
        let part = ((off[0] * along[0] + off[1] * along[1]) / square).clamp(0.0, 1.0);
        let away = (off[0] - part * along[0]).hypot(off[1] - part * along[1]);
        let covered = (pen / 2.0 + 0.5 - away).clamp(0.0, 1.0);
        // Where lines cross, the ink stays as dark.
        paper.min(255.0 + (ink - 255.0) * covered)
    });
}
