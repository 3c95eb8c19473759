//! Pictures with nothing to read: paper, light and lines without a digit.

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, Rgb, RgbImage, Rgba, RgbaImage};

use super::clean::encode;
use super::light::{hand, shadow, vignette};
use super::lines::rules;
use super::page::Page;
use super::surroundings::{on_desk, with_finger};
use super::{Rng, between};

/// A kind of picture without a digit.
#[derive(Debug, Clone, Copy)]
pub struct Blank {
    /// What is in the picture.
    pub name: &'static str,
    /// The least share that is to be said to hold nothing.
    pub goal: f64,
    /// Draws one: a PNG or JPEG file.
    pub draw: fn(&mut Rng) -> Vec<u8>,
}

pub(super) const BLANKS: [Blank; 21] = [
    blank("one colour", one_colour),
    blank("one colour of 28x28", |rng| {
        Page::new(28, 28, between(rng, 0.0, 255.0)).png()
    }),
    blank("nothing but transparency", |rng| {
        let (width, height) = size(rng);
        let colour = Rgba([rng.u8(..), rng.u8(..), rng.u8(..), 0]);
        let picture = RgbaImage::from_pixel(width as u32, height as u32, colour);
        encode(&DynamicImage::ImageRgba8(picture))
    }),
    blank("gradient", gradient),
    blank("gradient of two colours", coloured_gradient),
    blank("paper with grain of sigma 2 to 46", |rng| {
        let mut page = sheet(rng);
        page.grain(between(rng, 2.0, 46.0), rng);
        page.png()
    }),
    blank("vignette, corners 20 to 75 % darker", |rng| {
        let mut page = sheet(rng);
        vignette(&mut page, between(rng, 0.2, 0.75));
        page.grain(between(rng, 0.0, 4.0), rng);
        page.png()
    }),
    blank("hard shadow on paper", |rng| {
        let mut page = sheet(rng);
        shadow(&mut page, rng);
        page.grain(between(rng, 0.0, 4.0), rng);
        page.png()
    }),
    blank("shade, vignette, grain and JPEG together", camera),
    blank("noise", |rng| {
        let (width, height) = size(rng);
        noise(width, height, rng).png()
    }),
    blank("noise of 28x28", |rng| noise(28, 28, rng).png()),
    blank("noise of colours", |rng| {
        let (width, height) = size(rng);
        let pixel = |_, _| Rgb([rng.u8(..), rng.u8(..), rng.u8(..)]);
        let picture = RgbImage::from_fn(width as u32, height as u32, pixel);
        encode(&DynamicImage::ImageRgb8(picture))
    }),
    blank("ruled paper", |rng| ruled(rng, 0.0)),
    blank("ruled paper, up to 4 degrees askew", |rng| {
        let slope = between(rng, -0.07, 0.07);
        ruled(rng, slope)
    }),
    blank("squared paper", squared),
    blank("border line", |rng| {
        let mut page = sheet(rng);
        let (pen, level) = (rng.usize(1..6), between(rng, 0.0, 128.0));
        page.outline([0, 0, page.width, page.height], pen, level);
        page.png()
    }),
    blank("form's box", |rng| {
        let mut page = sheet(rng);
        let margin = page.width.min(page.height) / rng.usize(6..20);
        let (right, bottom) = (page.width - margin, page.height - margin);
        let (pen, level) = (rng.usize(1..4), between(rng, 0.0, 110.0));
        page.outline([margin, margin, right, bottom], pen, level);
        page.png()
    }),
    blank("card on a dark desk, a strip of it", |rng| {
        let mut margins = [0; 4];
        margins[rng.usize(0..4)] = rng.usize(15..100);
        let size = [(); 2].map(|()| rng.usize(280..400));
        on_desk(size, margins, rng).png()
    }),
    blank("card on a dark desk all around", |rng| {
        let margins = [(); 4].map(|()| rng.usize(15..100));
        let size = [(); 2].map(|()| rng.usize(280..400));
        on_desk(size, margins, rng).png()
    }),
    Blank {
        goal: 0.60,
        ..blank("finger in the corner", |rng| {
            let page = sheet(rng);
            encode(&with_finger(&page, rng))
        })
    },
    Blank {
        goal: 0.60,
        ..blank("shadow of a hand on paper", |rng| {
            let mut page = sheet(rng);
            hand(&mut page, rng);
            page.grain(between(rng, 0.0, 4.0), rng);
            page.png()
        })
    },
];

pub(super) const fn blank(name: &'static str, draw: fn(&mut Rng) -> Vec<u8>) -> Blank {
    let goal = 0.95;
    Blank { name, goal, draw }
}

/// Width and height of a picture, of any shape up to 1 to 3.
fn size(rng: &mut Rng) -> (usize, usize) {
    let longer = rng.usize(40..500);
    let shorter = (longer as f32 / between(rng, 1.0, 3.0)) as usize;
    if rng.bool() {
        (longer, shorter.max(20))
    } else {
        (shorter.max(20), longer)
    }
}

/// Empty paper.
fn sheet(rng: &mut Rng) -> Page {
    let (width, height) = size(rng);
    Page::new(width, height, between(rng, 150.0, 255.0))
}

fn one_colour(rng: &mut Rng) -> Vec<u8> {
    let (width, height) = size(rng);
    let colour = Rgb([rng.u8(..), rng.u8(..), rng.u8(..)]);
    let picture = RgbImage::from_pixel(width as u32, height as u32, colour);
    let picture = DynamicImage::ImageRgb8(picture);
    if rng.bool() {
        return encode(&picture);
    }
    jpeg(&picture, 80)
}

/// From one level to another, in any direction.
fn gradient(rng: &mut Rng) -> Vec<u8> {
    let (width, height) = size(rng);
    let mut page = Page::new(width, height, 0.0);
    let (from, to) = (between(rng, 0.0, 255.0), between(rng, 0.0, 255.0));
    let along = direction(width, height, rng);
    page.each(|x, y, _| from + (to - from) * along(x, y));
    page.png()
}

fn coloured_gradient(rng: &mut Rng) -> Vec<u8> {
    let (width, height) = size(rng);
    let [from, to] = [(); 2].map(|()| [(); 3].map(|()| between(rng, 0.0, 255.0)));
    let along = direction(width, height, rng);
    let picture = RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let along = along(x as usize, y as usize);
        Rgb([0, 1, 2].map(|it: usize| (from[it] + (to[it] - from[it]) * along).round() as u8))
    });
    encode(&DynamicImage::ImageRgb8(picture))
}

/// How far along a random direction a place is, from 0 to 1.
fn direction(width: usize, height: usize, rng: &mut Rng) -> impl Fn(usize, usize) -> f32 {
    let (sine, cosine) = between(rng, 0.0, std::f32::consts::TAU).sin_cos();
    move |x, y| {
        let [x, y] = [(x, width), (y, height)].map(|(at, side)| at as f32 / side as f32 - 0.5);
        (0.5 + (x * cosine + y * sine) / std::f32::consts::SQRT_2).clamp(0.0, 1.0)
    }
}

fn camera(rng: &mut Rng) -> Vec<u8> {
    let mut page = sheet(rng);
    vignette(&mut page, between(rng, 0.1, 0.4));
    let (width, shade) = (page.width as f32, between(rng, -0.3, 0.3));
    page.each(|x, _, level| level * (0.85 + shade * (x as f32 / width - 0.5)));
    page.grain(between(rng, 2.0, 10.0), rng);
    jpeg(&DynamicImage::ImageLuma8(page.image()), 60)
}

fn jpeg(picture: &DynamicImage, quality: u8) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut file, quality);
    let written = encoder.encode_image(picture);
    written.expect("memory can be written to");
    file
}

/// Every level is as likely as another.
fn noise(width: usize, height: usize, rng: &mut Rng) -> Page {
    let mut page = Page::new(width, height, 0.0);
    page.each(|_, _, _| between(rng, 0.0, 255.0));
    page
}

fn ruled(rng: &mut Rng, slope: f32) -> Vec<u8> {
    let mut page = sheet(rng);
    let space = page.height as f32 / between(rng, 5.0, 14.0);
    rules(&mut page, rng, space, slope);
    page.png()
}

fn squared(rng: &mut Rng) -> Vec<u8> {
    let mut page = sheet(rng);
    let space = page.width.min(page.height) as f32 / between(rng, 5.0, 14.0);
    let (first, pen) = (between(rng, 0.0, space), between(rng, 1.0, 2.5));
    let ink = between(rng, 50.0, 110.0);
    page.each(|x, y, paper| {
        let away = [x, y].map(|at| {
            let at = at as f32 + 0.5 - first;
            (at - (at / space).round() * space).abs()
        });
        let coverage = (pen / 2.0 + 0.5 - away[0].min(away[1])).clamp(0.0, 1.0);
        paper + (ink - paper) * coverage
    });
    page.png()
}
