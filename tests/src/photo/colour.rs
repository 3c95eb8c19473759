//! Colour and transparency.

use image::{DynamicImage, Rgb, RgbImage, Rgba, RgbaImage};

use super::clean::encode;
use super::page::Page;
use super::{Drawing, Kind, Rng, between, kind};

pub(super) const KINDS: [Kind; 3] = [
    kind("red on green of the same luma", 0.95, red_on_green),
    kind("blue on white", 0.97, |digit, _| {
        mixed(digit, [250.0, 250.0, 245.0], [30.0, 60.0, 200.0])
    }),
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
