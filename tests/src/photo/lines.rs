//! Straight lines: borders, boxes of forms, underlines, ruled paper.

use super::page::Page;
use super::{Drawing, Kind, Rng, between, kind};

pub(super) const KINDS: [Kind; 8] = [
    kind("border line of 1 pixel, black", 0.95, |digit, rng| {
        border(digit, rng, 1, 0.0)
    }),
    kind("border line of 1 pixel, grey 128", 0.95, |digit, rng| {
        border(digit, rng, 1, 128.0)
    }),
    kind("border line of 5 pixels", 0.95, |digit, rng| {
        border(digit, rng, 5, 0.0)
    }),
    kind("form's box, 20 pixels in", 0.95, form_box),
    kind("underline, 100 % wide", 0.92, underline),
    kind("underline, 30 to 90 % wide", 0.92, short_underline),
    kind("ruled paper", 0.92, |digit, rng| ruled(digit, rng, 0.0)),
    kind("ruled paper, 4 degrees askew", 0.92, |digit, rng| {
        ruled(digit, rng, 0.07)
    }),
];

fn border(digit: &Drawing, rng: &mut Rng, pen: usize, level: f32) -> Vec<u8> {
    let mut page = Page::plain(digit, rng);
    page.outline([0, 0, page.width, page.height], pen, level);
    page.png()
}

fn form_box(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    let mut page = Page::plain(digit, rng);
    let (right, bottom) = (page.width - 20, page.height - 20);
    let (pen, level) = (rng.usize(1..4), between(rng, 0.0, 110.0));
    page.outline([20, 20, right, bottom], pen, level);
    page.png()
}

/// Where people draw it: just below the digit, or through its foot.
fn underline(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    let mut page = Page::plain(digit, rng);
    let [.., bottom] = digit.bounds();
    let (pen, level) = (rng.usize(2..7), between(rng, 0.0, 80.0));
    let top = (bottom + rng.usize(0..16))
        .saturating_sub(3)
        .min(page.height - pen);
    page.fill([0, top, page.width, top + pen], level);
    page.png()
}

/// Below the digit, without touching it.
fn short_underline(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    let mut page = Page::plain(digit, rng);
    let [.., bottom] = digit.bounds();
    let (pen, level) = (rng.usize(2..5), between(rng, 0.0, 80.0));
    let top = (bottom + rng.usize(4..16)).min(page.height - pen);
    let half = (page.width as f32 * between(rng, 0.15, 0.45)) as usize;
    let (left, right) = (page.width / 2 - half, page.width / 2 + half);
    page.fill([left, top, right, top + pen], level);
    page.png()
}

/// Ten rules under the ink.
fn ruled(digit: &Drawing, rng: &mut Rng, slope: f32) -> Vec<u8> {
    let mut page = Page::new(digit.width, digit.height, 245.0);
    rules(&mut page, rng, digit.height as f32 / 10.0, slope);
    page.draw(digit, [0, 0], 40.0);
    page.png()
}

/// Rules of one space and slope, over the whole page.
pub(super) fn rules(page: &mut Page, rng: &mut Rng, space: f32, slope: f32) {
    let level = between(rng, 50.0, 110.0);
    let (first, pen) = (between(rng, 0.0, space), between(rng, 1.0, 3.0));
    page.each(|x, y, paper| {
        let at = y as f32 + 0.5 - first - slope * x as f32;
        let away = (at - (at / space).round() * space).abs();
        let coverage = (pen / 2.0 + 0.5 - away).clamp(0.0, 1.0);
        paper + (level - paper) * coverage
    });
}
