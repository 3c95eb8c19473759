//! Digits drawn with an anti-aliased pen, on paper of every kind.

use proptest::prelude::*;

use super::*;
use crate::image::drawing::{Point, SEVEN, TWO, photo};

fn inverted(image: &GrayImage) -> GrayImage {
    let mut image = image.clone();
    ::image::imageops::invert(&mut image);
    image
}

fn auto(image: &GrayImage) -> Frame {
    frame_digit(image, Framing::Auto)
}

fn as_image(frame: &Frame) -> GrayImage {
    GrayImage::from_raw(28, 28, frame.to_vec()).unwrap()
}

/// Changes every grey level by its place.
fn with_light(image: &GrayImage, light: impl Fn(f32, f32) -> f32) -> GrayImage {
    let (width, height) = image.dimensions();
    GrayImage::from_fn(width, height, |x, y| {
        let factor = light(x as f32 / width as f32, y as f32 / height as f32);
        ::image::Luma([(f32::from(image.get_pixel(x, y).0[0]) * factor).round() as u8])
    })
}

fn mean_difference(a: &Frame, b: &Frame) -> f32 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| f32::from(a.abs_diff(b)))
        .sum::<f32>()
        / a.len() as f32
}

#[track_caller]
fn assert_is_frame(frame: &Frame) {
    assert!(is_frame(frame), "not a frame: {frame:?}");
    assert_eq!(frame.iter().max(), Some(&255));
}

#[test]
fn a_thick_black_digit_on_white_off_centre() {
    let image = photo((200, 300), &SEVEN, (30.0, 150.0), 120.0, 22.0);
    let frame = auto(&image);
    assert_is_frame(&frame);
    // The top bar of the seven is ink, the ground beside its foot is not.
    let row = |y: usize| &frame[y * SIDE..][..SIDE];
    let top = (0..SIDE)
        .find(|&y| row(y).iter().any(|&p| p > 128))
        .unwrap();
    assert!(
        row(top + 1).iter().filter(|&&p| p > 128).count() >= 12,
        "{frame:?}"
    );
    let foot = (0..SIDE)
        .rfind(|&y| row(y).iter().any(|&p| p > 128))
        .unwrap();
    assert!(
        (19..=21).contains(&(foot - top + 1)),
        "{} rows",
        foot - top + 1
    );
    assert!(row(foot)[18..].iter().all(|&p| p == 0), "{frame:?}");
}

#[test]
fn inverse_colours_give_the_same_frame() {
    for strokes in [&SEVEN[..], &TWO] {
        for (canvas, size, pen) in [
            ((28, 28), 14.0, 2.0),
            ((200, 300), 90.0, 9.0),
            ((1300, 700), 400.0, 30.0),
        ] {
            let image = photo(canvas, strokes, (5.0, 6.0), size, pen);
            let (dark, light) = (auto(&image), auto(&inverted(&image)));
            assert!(dark.iter().zip(&light).all(|(a, b)| a.abs_diff(*b) <= 1));
            assert_is_frame(&dark);
        }
    }
    // The inverse of a frame is that frame.
    let frame = auto(&photo((100, 100), &TWO, (20.0, 20.0), 60.0, 8.0));
    assert_eq!(auto(&inverted(&as_image(&frame))), frame);
}

#[test]
fn pens_of_any_width_give_strokes_of_a_frame() {
    // From a hair to a brush: 0.3 % to 25 % of the digit's height.
    for pen in [1.0, 3.0, 10.0, 40.0, 80.0] {
        let frame = auto(&photo((400, 400), &TWO, (90.0, 50.0), 300.0, pen));
        assert_is_frame(&frame);
        let ink: f32 = frame.iter().map(|&p| f32::from(p) / 255.0).sum();
        // MNIST's digits hold 20 to 310 pixels of ink; a two's stroke is about 45 pixels long.
        assert!(
            (60.0..250.0).contains(&ink),
            "a pen of {pen} leaves {ink} pixels of ink"
        );
    }
}

#[test]
fn specks_shade_and_faint_ink_hardly_matter() {
    let image = photo((240, 200), &TWO, (60.0, 40.0), 100.0, 12.0);
    let expected = auto(&image);
    let mut specked = image.clone();
    for (x, y) in [(3, 3), (236, 12), (200, 190), (20, 150)] {
        specked.put_pixel(x, y, ::image::Luma([0]));
        specked.put_pixel(x + 1, y, ::image::Luma([40]));
    }
    let shaded = with_light(&image, |x, y| 0.95 - 0.25 * x - 0.1 * y);
    let mut faint = image.clone();
    faint
        .iter_mut()
        .for_each(|p| *p = 180 + (f32::from(*p) * 0.2) as u8);
    for (what, picture, allowed) in [
        ("specks", specked, 0.5),
        ("shade", shaded, 2.0),
        ("faint ink", faint, 2.0),
    ] {
        let difference = mean_difference(&auto(&picture), &expected);
        assert!(difference < allowed, "{what}: {difference}");
    }
}

#[test]
fn pictures_without_ink_are_black() {
    for (width, height) in [(1, 1), (28, 28), (300, 200), (1, 2000), (2000, 1)] {
        for level in [0, 1, 128, 254, 255] {
            let blank = GrayImage::from_pixel(width, height, ::image::Luma([level]));
            assert_eq!(auto(&blank), [0; 784], "{width} x {height} of {level}");
        }
    }
    let grain = GrayImage::from_fn(200, 200, |x, y| {
        ::image::Luma([200
            + (x.wrapping_mul(31) ^ y.wrapping_mul(17))
                .wrapping_mul(2_654_435_761)
                .rotate_left(9) as u8
                % 12])
    });
    assert_eq!(auto(&grain), [0; 784]);
    assert_eq!(auto(&GrayImage::new(0, 0)), [0; 784]);
    assert_eq!(frame_digit(&GrayImage::new(0, 5), Framing::None), [0; 784]);
}

#[test]
fn very_large_and_very_thin() {
    let mut large = GrayImage::from_pixel(8000, 8000, ::image::Luma([250]));
    for y in 3000..5000 {
        for x in 4000..4300 {
            large.put_pixel(x, y, ::image::Luma([10]));
        }
    }
    assert_is_frame(&auto(&large));
    let thin = |width, columns: std::ops::Range<u32>| {
        let mut thin = GrayImage::from_pixel(width, 2000, ::image::Luma([255]));
        for y in 900..1100 {
            columns
                .clone()
                .for_each(|x| thin.put_pixel(x, y, ::image::Luma([0])));
        }
        auto(&thin)
    };
    assert_is_frame(&thin(60, 20..40));
    // A bar from edge to edge is no digit.
    assert_eq!(thin(1, 0..1), [0; 784]);
}

#[test]
fn no_framing_takes_the_pixels() {
    let mut pixels = [0; 784];
    (0_u8..=255)
        .cycle()
        .zip(&mut pixels)
        .for_each(|(level, pixel)| *pixel = level);
    assert_eq!(frame_digit(&as_image(&pixels), Framing::None), pixels);
    let uniform = GrayImage::from_pixel(100, 3, ::image::Luma([77]));
    assert_eq!(frame_digit(&uniform, Framing::None), [77; 784]);
    // 784 pixels, but not 28 x 28.
    let wide = GrayImage::from_pixel(784, 1, ::image::Luma([9]));
    assert_eq!(frame_digit(&wide, Framing::None), [9; 784]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn never_panics(
        (width, height, pixels) in (1_u32..80, 1_u32..80).prop_flat_map(|(width, height)| {
            let pixels = proptest::collection::vec(any::<u8>(), (width * height) as usize);
            (Just(width), Just(height), pixels)
        })
    ) {
        let image = GrayImage::from_raw(width, height, pixels).unwrap();
        auto(&image);
        frame_digit(&image, Framing::None);
    }

    #[test]
    fn place_on_the_canvas_does_not_matter(x in 12_u8..100, y in 12_u8..180, pen in 3_u8..16) {
        let at = |x, y| photo((200, 300), &TWO, (f32::from(x), f32::from(y)), 90.0, f32::from(pen));
        let difference = mean_difference(&auto(&at(x, y)), &auto(&at(40, 40)));
        prop_assert!(difference < 8.0, "{}", difference);
    }

    #[test]
    fn framing_twice_is_framing_once(
        size in 15.0_f32..150.0, pen in 0.02_f32..0.2, slant in -0.3_f32..0.3, two: bool
    ) {
        let strokes = if two { &TWO[..] } else { &SEVEN };
        let slanted: Vec<Point> = strokes.iter().map(|&(x, y)| (x - slant * y, y)).collect();
        let image = photo((230, 220), &slanted, (60.0, 30.0), size, (pen * size).max(1.0));
        let once = auto(&image);
        prop_assert_eq!(auto(&as_image(&once)), once);
    }
}
