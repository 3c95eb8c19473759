//! Bad light and a bad camera.

use super::drawing::smooth;
use super::page::Page;
use super::{Drawing, Kind, Rng, between, kind};

pub(super) const KINDS: [Kind; 8] = [
    kind("hard shadow, half of the light", 0.90, |digit, rng| {
        let mut page = Page::plain(digit, rng);
        shadow(&mut page, rng);
        page.png()
    }),
    kind("shadow of a hand, half of the light", 0.90, |digit, rng| {
        let mut page = Page::plain(digit, rng);
        hand(&mut page, rng);
        page.png()
    }),
    kind("vignette, corners 55 to 75 % darker", 0.92, |digit, rng| {
        let mut page = Page::plain(digit, rng);
        vignette(&mut page, between(rng, 0.55, 0.75));
        page.png()
    }),
    kind(
        "small digit on a large page, corners 20 to 60 % darker",
        0.92,
        |digit, rng| {
            let mut page = large(digit, rng, [1600, 1200], [0.12, 0.27]);
            vignette(&mut page, between(rng, 0.2, 0.6));
            page.grain(2.0, rng);
            page.jpeg(88)
        },
    ),
    kind("light of a lamp, down to 40 %", 0.92, |digit, rng| {
        let mut page = large(digit, rng, [800, 600], [0.25, 0.53]);
        lamp(&mut page, rng);
        page.grain(3.0, rng);
        page.jpeg(85)
    }),
    kind("grain of sigma 46 on 200", 0.80, |digit, rng| {
        let mut page = Page::of(digit, 200.0, 40.0);
        page.grain(46.0, rng);
        page.png()
    }),
    kind("shade, vignette, grain and JPEG together", 0.92, camera),
    kind("out of focus", 0.97, |digit, rng| {
        let page = Page::plain(digit, rng).image();
        let deviation = page.width() as f32 * between(rng, 0.005, 0.02);
        crate::png(&image::imageops::blur(&page, deviation))
    }),
];

/// A page on which a digit's frame has a part of the height between two, anywhere.
fn large(
    digit: &Drawing,
    rng: &mut Rng,
    [width, height]: [usize; 2],
    [least, most]: [f32; 2],
) -> Page {
    let part = between(rng, least, most);
    let small = match &digit.frame {
        Some(frame) => Drawing::redrawn(frame, (part * height as f32) as usize),
        None => digit.clone(),
    };
    let mut page = Page::new(width, height, between(rng, 235.0, 255.0));
    let room = [width - small.width, height - small.height];
    let place = room.map(|room| rng.usize(0..room) as isize);
    page.draw(&small, place, between(rng, 0.0, 60.0));
    page
}

/// A lamp over any place of the page, whose light falls off with the square of the distance, beside
/// a quarter of light from all around.
fn lamp(page: &mut Page, rng: &mut Rng) {
    let (width, height) = (page.width as f32, page.height as f32);
    let (left, top) = (rng.f32() * width, rng.f32() * height);
    let reach = between(rng, 0.3, 0.6) * width;
    page.each(|x, y, level| {
        let away = (x as f32 - left).hypot(y as f32 - top) / reach;
        level * (0.25 + 0.75 / (1.0 + away * away))
    });
}

/// The edge of a shadow at any angle, through the middle half of the picture.
pub(super) fn shadow(page: &mut Page, rng: &mut Rng) {
    let (width, height) = (page.width as f32, page.height as f32);
    let (sine, cosine) = between(rng, 0.0, std::f32::consts::TAU).sin_cos();
    let off = between(rng, -0.25, 0.25) * width;
    let soft = between(rng, 1.0, 4.0);
    page.each(|x, y, level| {
        let (x, y) = (x as f32 - width / 2.0, y as f32 - height / 2.0);
        let inside = smooth((x * cosine + y * sine - off) / soft + 0.5);
        level * (1.0 - 0.5 * inside)
    });
}

/// The shadow of what reaches in from below, such as a hand or a phone: a quarter to half as wide
/// as the picture.
pub(super) fn hand(page: &mut Page, rng: &mut Rng) {
    let (width, height) = (page.width as f32, page.height as f32);
    let top = between(rng, 0.15, 0.7) * height;
    let left = between(rng, 0.0, 0.7) * width;
    let right = left + between(rng, 0.25, 0.5) * width;
    let (rises, leans) = (between(rng, -0.3, 0.3), between(rng, -0.2, 0.2));
    let soft = between(rng, 2.0, 12.0);
    page.each(|x, y, level| {
        let (x, y) = (
            x as f32 + leans * (y as f32 - top),
            y as f32 + rises * x as f32,
        );
        let inside = (x - left).min(right - x).min(y - top);
        level * (1.0 - 0.5 * smooth(inside / soft + 0.5))
    });
}

pub(super) fn vignette(page: &mut Page, loss: f32) {
    let (width, height) = (page.width as f32, page.height as f32);
    page.each(|x, y, level| {
        let (x, y) = (x as f32 / width - 0.5, y as f32 / height - 0.5);
        level * (1.0 - loss * (x * x + y * y) / 0.5)
    });
}

fn camera(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    let mut page = Page::of(digit, 225.0, between(rng, 20.0, 90.0));
    vignette(&mut page, between(rng, 0.1, 0.4));
    let (width, shade) = (page.width as f32, between(rng, -0.3, 0.3));
    page.each(|x, _, level| level * (0.85 + shade * (x as f32 / width - 0.5)));
    page.grain(between(rng, 2.0, 10.0), rng);
    page.jpeg(60)
}
