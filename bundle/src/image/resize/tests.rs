//! Held against what Pillow makes of the same pictures: `tests/data/pillow.py` writes the values.

use super::*;
use crate::image::WHITE;

const PILLOW: &str = include_str!("../../../tests/data/pillow.tsv");

/// A gradient under noise.
fn pixels(width: u32, height: u32, channels: Channels) -> Pixels {
    let mut state = width * 1000 + height;
    let count = channels.count();
    let data = (0..width as usize * height as usize * count).map(|index| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((index * 7 / count % 160) as u32 + (state >> 24) % 96) as u8
    });
    Pixels {
        margins: Margins::default(),
        width,
        height,
        channels,
        data: data.collect(),
    }
}

#[test]
fn the_levels_are_pillows() {
    for line in PILLOW.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let number = |index: usize| columns[index].parse::<usize>().unwrap();
        let channels = match number(2) {
            1 => Channels::Grey,
            _ => Channels::Rgb,
        };
        let filter = match columns[4] {
            "bilinear" => Filter::Bilinear,
            _ => Filter::Bicubic,
        };
        let spec = ImageSpec {
            width: number(5),
            height: number(6),
            channels,
            fit: match number(3) {
                0 => Fit::Squash { filter },
                shorter_side => Fit::Crop {
                    shorter_side,
                    filter,
                },
            },
            background: WHITE,
        };
        let picture = pixels(number(0) as u32, number(1) as u32, channels);
        let found = spec.fit(picture, Framing::Auto).pixels;
        let hex = |index| u8::from_str_radix(&columns[7][index..index + 2], 16).unwrap();
        let expected: Vec<u8> = (0..columns[7].len()).step_by(2).map(hex).collect();
        assert_eq!(found.len(), expected.len(), "{line}");
        assert_eq!(found, expected, "{line}");
    }
}

#[test]
fn a_picture_of_the_models_size_is_taken_as_it_is() {
    let filter = Filter::Bilinear;
    let spec = ImageSpec {
        width: 6,
        height: 4,
        channels: Channels::Rgb,
        fit: Fit::Crop {
            shorter_side: 8,
            filter,
        },
        background: WHITE,
    };
    let picture = pixels(6, 4, Channels::Rgb);
    let fit = |framing| spec.fit(picture.clone(), framing).pixels;
    assert_eq!(fit(Framing::None), picture.data);
    // The model's own way enlarges it first.
    assert_ne!(fit(Framing::Auto), picture.data);
    // What is as wide as a thread costs no more than what stays of it.
    let thread = pixels(1, 60_000, Channels::Grey);
    let grey = ImageSpec {
        channels: Channels::Grey,
        ..spec
    };
    assert_eq!(grey.fit(thread, Framing::Auto).pixels.len(), 24);
}

#[test]
fn one_colour_is_not_readable() {
    let filter = Filter::Bilinear;
    let squash = Fit::Squash { filter };
    let (grey, rgb) = (Channels::Grey, Channels::Rgb);
    for (fit, channels) in [(squash, rgb), (squash, grey), (Fit::Digit, grey)] {
        let spec = ImageSpec {
            channels,
            fit,
            ..ImageSpec::digit()
        };
        for framing in [Framing::None, Framing::Auto] {
            let mut picture = pixels(40, 30, channels);
            let colour = [9, 200, 30];
            let levels = colour[..channels.count()].iter().cycle();
            picture
                .data
                .iter_mut()
                .zip(levels)
                .for_each(|(it, level)| *it = *level);
            let fitted = spec.fit(picture.clone(), framing);
            assert!(!fitted.readable, "{fit:?} {framing:?}");
            let is_search = fit == Fit::Digit && framing == Framing::Auto;
            assert_eq!(fitted.findings.is_some(), is_search);
            picture.data[7] += 1;
            let is_readable = spec.fit(picture, framing).readable;
            assert_eq!(is_readable, !is_search, "{fit:?} {framing:?}");
        }
    }
}
