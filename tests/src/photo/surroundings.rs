//! What lies around the paper and beside the digit.

use image::{DynamicImage, Rgb, RgbImage};

use super::clean::encode;
use super::drawing::smooth;
use super::page::Page;
use super::{Drawing, Kind, Rng, between, kind};

pub(super) const KINDS: [Kind; 7] = [
    kind("card on a dark desk, a strip of it", 0.92, strip),
    kind("card on a dark desk all around", 0.92, card),
    kind(
        "card on a large desk, turned up to 15 degrees",
        0.92,
        turned,
    ),
    kind("finger in the corner", 0.85, finger),
    kind("neighbour's digit, cut at the edge", 0.90, |digit, rng| {
        neighbour(digit, rng, 0.15, 0.5)
    }),
    kind("second digit beside it", 0.90, |digit, rng| {
        neighbour(digit, rng, 1.2, 1.2)
    }),
    kind("circle around it", 0.95, circle),
];

/// A white card on a dark desk, which shows at one side.
fn strip(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    let broad = (digit.width as f32 * between(rng, 0.05, 0.3)) as usize;
    let mut margins = [0; 4];
    margins[rng.usize(0..4)] = broad;
    card_on_desk(digit, rng, margins)
}

fn card(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    let side = digit.width as f32;
    let margins = [(); 4].map(|()| (side * between(rng, 0.05, 0.3)) as usize);
    card_on_desk(digit, rng, margins)
}

fn card_on_desk(digit: &Drawing, rng: &mut Rng, margins: [usize; 4]) -> Vec<u8> {
    let mut page = on_desk([digit.width, digit.height], margins, rng);
    let place = [margins[0] as isize, margins[1] as isize];
    page.draw(digit, place, between(rng, 20.0, 60.0));
    page.png()
}

/// An empty card of this width and height. The margins are those on the left, above, on the right
/// and below.
pub(super) fn on_desk(size: [usize; 2], margins: [usize; 4], rng: &mut Rng) -> Page {
    let ([width, height], [left, top, right, bottom]) = (size, margins);
    let desk = between(rng, 30.0, 90.0);
    let mut page = Page::new(left + width + right, top + height + bottom, desk);
    page.grain(5.0, rng);
    let paper = between(rng, 225.0, 250.0);
    page.fill([left, top, left + width, top + height], paper);
    page
}

/// A card that covers a third to four fifths of the picture's height, at an angle.
fn turned(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    let card = [
        digit.width as f32,
        digit.height as f32 * between(rng, 1.0, 1.4),
    ];
    let height = card[1] / between(rng, 0.33, 0.8);
    let mut page = Page::new(
        (height * 4.0 / 3.0) as usize,
        height as usize,
        between(rng, 30.0, 110.0),
    );
    let (paper, ink) = (between(rng, 225.0, 250.0), between(rng, 20.0, 60.0));
    let (sine, cosine) = between(rng, -15.0, 15.0).to_radians().sin_cos();
    let middle = [page.width, page.height].map(|side| side as f32 / 2.0);
    page.each(|x, y, desk| {
        let (dx, dy) = (x as f32 + 0.5 - middle[0], y as f32 + 0.5 - middle[1]);
        let (along, down) = (dx * cosine + dy * sine, dy * cosine - dx * sine);
        let inside = (card[0] / 2.0 - along.abs()).min(card[1] / 2.0 - down.abs());
        let place = [
            along + digit.width as f32 / 2.0,
            down + digit.height as f32 / 2.0,
        ];
        let level = paper + (ink - paper) * digit.between(place);
        desk + (level - desk) * (inside + 0.5).clamp(0.0, 1.0)
    });
    page.grain(3.0, rng);
    page.png()
}

/// As one marks an answer.
fn circle(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    let margin = digit.width / 4;
    let mut page = Page::new(digit.width + 2 * margin, digit.height + 2 * margin, 245.0);
    page.draw(digit, [margin as isize; 2], between(rng, 0.0, 60.0));
    let (level, pen) = (between(rng, 0.0, 110.0), between(rng, 2.0, 6.0));
    let radius = digit.width as f32 * between(rng, 0.55, 0.7);
    let middle = (page.width as f32 / 2.0, page.height as f32 / 2.0);
    page.each(|x, y, paper| {
        let away = (x as f32 + 0.5 - middle.0).hypot(y as f32 + 0.5 - middle.1) - radius;
        let coverage = (pen / 2.0 + 0.5 - away.abs()).clamp(0.0, 1.0);
        paper + (level - paper) * coverage
    });
    page.png()
}

/// Skin over a corner of the paper.
fn finger(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    encode(&with_finger(&Page::plain(digit, rng), rng))
}

pub(super) fn with_finger(page: &Page, rng: &mut Rng) -> DynamicImage {
    let page = page.image();
    let side = page.width().min(page.height()) as f32;
    let (right, low) = (rng.bool(), rng.bool());
    let ends = [(right, page.width()), (low, page.height())];
    let corner = ends.map(|(is_end, side)| if is_end { side as f32 } else { 0.0 });
    let (long, broad) = (
        between(rng, 0.16, 0.26) * side,
        between(rng, 0.08, 0.13) * side,
    );
    let turn = std::f32::consts::FRAC_PI_4 * if right == low { 1.0 } else { -1.0 };
    let (sine, cosine) = turn.sin_cos();
    let skin = [205.0, 150.0, 120.0].map(|level| level * between(rng, 0.7, 1.0));
    let picture = RgbImage::from_fn(page.width(), page.height(), |x, y| {
        let paper = f32::from(page.get_pixel(x, y).0[0]);
        let (dx, dy) = (x as f32 - corner[0], y as f32 - corner[1]);
        let along = (dx * cosine + dy * sine) / long;
        let across = (dy * cosine - dx * sine) / broad;
        let skin_part = smooth((1.03 - along.hypot(across)) / 0.06);
        Rgb(skin.map(|level| (paper + (level - paper) * skin_part).round() as u8))
    });
    DynamicImage::ImageRgb8(picture)
}

/// The same digit again on one side, of which the picture shows a part between two shares.
fn neighbour(digit: &Drawing, rng: &mut Rng, least: f32, most: f32) -> Vec<u8> {
    let [left, _, right, _] = digit.bounds();
    let gap = (digit.width as f32 * between(rng, 0.12, 0.2)) as usize;
    let seen = (between(rng, least, most) * (right - left) as f32) as usize;
    let width = gap + (right - left) + gap + seen;
    let mut page = Page::new(width, digit.height, between(rng, 235.0, 255.0));
    let ink = between(rng, 0.0, 60.0);
    let start = if rng.bool() { gap } else { seen + gap };
    let place = start as isize - left as isize;
    let step = (right - left + gap) as isize;
    page.draw(digit, [place, 0], ink);
    page.draw(
        digit,
        [place + if start == gap { step } else { -step }, 0],
        ink,
    );
    page.png()
}
