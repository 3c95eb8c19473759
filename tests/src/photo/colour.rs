//! Colour and transparency.

use image::{DynamicImage, Rgb, RgbImage, Rgba, RgbaImage};

use super::clean::encode;
use super::page::Page;
use super::{Drawing, Kind, Rng, between, kind};

pub(super) const KINDS: [Kind; 4] = [
    kind("red on green of the same luma", 0.95, red_on_green),
    kind("blue on white", 0.97, |digit, _| {
        mixed(digit, [250.0, 250.0, 245.0], [30.0, 60.0, 200.0])
    }),
    kind("highlighter across it", 0.92, highlighted),
    kind("card with a transparent margin", 0.95, transparent_margin),
];

fn red_on_green(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    let (red, green) = ([255.0, 0.0, 0.0], [0.0, 130.0, 0.0]);
    if rng.bool() {
        mixed(digit, green, red)
    } else {
        mixed(digit, red, green)
    }
}

fn mixed(digit: &Drawing, paper: [f32; 3], ink: [f32; 3]) -> Vec<u8> {
    let picture = RgbImage::from_fn(digit.width as u32, digit.height as u32, |x, y| {
        let coverage = digit.at(x as isize, y as isize);
        let level = |channel: usize| paper[channel] + (ink[channel] - paper[channel]) * coverage;
        Rgb([0, 1, 2].map(|channel| level(channel).round() as u8))
    });
    encode(&DynamicImage::ImageRgb8(picture))
}

/// A stroke of a highlighter, half to most of the digit high.
fn highlighted(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    let colours = [
        [250.0, 245.0, 90.0],
        [140.0, 245.0, 120.0],
        [255.0, 160.0, 210.0],
    ];
    let marker: [f32; 3] = colours[rng.usize(0..3)];
    let (ink, side) = (between(rng, 0.0, 60.0), digit.width as f32);
    let top = between(rng, 0.2, 0.45) * side;
    let rows = top..top + between(rng, 0.25, 0.45) * side;
    let columns = between(rng, 0.0, 0.15) * side..between(rng, 0.85, 1.0) * side;
    let picture = RgbImage::from_fn(digit.width as u32, digit.height as u32, |x, y| {
        let is_marked = rows.contains(&(y as f32)) && columns.contains(&(x as f32));
        let coverage = digit.at(x as isize, y as isize);
        let level = |channel: usize| {
            let paper = if is_marked { marker[channel] } else { 250.0 };
            (paper * (1.0 - coverage) + ink * paper / 255.0 * coverage).round() as u8
        };
        Rgb([0, 1, 2].map(level))
    });
    encode(&DynamicImage::ImageRgb8(picture))
}

/// A window's screenshot: rounded corners, a soft shadow, and nothing around it.
fn transparent_margin(digit: &Drawing, rng: &mut Rng) -> Vec<u8> {
    let margin = rng.usize(20..60);
    let page = Page::plain(digit, rng).image();
    let radius = between(rng, 0.0, 24.0);
    let half = digit.width as f32 / 2.0;
    let size = (digit.width + 2 * margin) as u32;
    let picture = RgbaImage::from_fn(size, size, |x, y| {
        let place = [x, y].map(|at| at as f32 + 0.5 - margin as f32 - half);
        // Distance to the card's outline, negative inside.
        let [dx, dy] = place.map(|at| at.abs() - half + radius);
        let away = dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius;
        if away < 0.0 {
            let inside = |at: u32| at.saturating_sub(margin as u32).min(page.width() - 1);
            let level = page.get_pixel(inside(x), inside(y)).0[0];
            Rgba([level, level, level, 255])
        } else {
            let shade = (1.0 - away / margin as f32).clamp(0.0, 1.0);
            Rgba([0, 0, 0, (90.0 * shade * shade) as u8])
        }
    });
    encode(&DynamicImage::ImageRgba8(picture))
}
