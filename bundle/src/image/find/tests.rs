//! Each step on a picture that needs it: the frame is nearly that of the digit alone.

use ::image::Luma;
use proptest::prelude::*;

use super::*;
use crate::image::drawing::{Point, SEVEN, TWO, photo};
use crate::image::{Channels, Colours, Frame, Framed, Framing, Pixels, frame_digit};

mod cards;
mod light;
mod lines;

const SIDE: u32 = 240;
const AT: Point = (85.0, 60.0);

/// A two on white paper.
fn two() -> GrayImage {
    photo((SIDE, SIDE), &TWO, AT, 120.0, 14.0)
}

/// The picture with each level changed by its place.
fn changed(image: &GrayImage, change: impl Fn(u32, u32, f32) -> f32) -> GrayImage {
    GrayImage::from_fn(image.width(), image.height(), |x, y| {
        let level = change(x, y, f32::from(image.get_pixel(x, y).0[0]));
        Luma([level.round().clamp(0.0, 255.0) as u8])
    })
}

fn auto(image: &GrayImage) -> Frame {
    frame_digit(image, Framing::Auto)
}

#[track_caller]
fn assert_like(found: &Frame, expected: &Frame, what: &str) {
    let apart = found
        .iter()
        .zip(expected)
        .map(|(a, b)| f32::from(a.abs_diff(*b)));
    let mean = apart.sum::<f32>() / found.len() as f32;
    let text = |frame: &Frame| {
        let rows = frame.chunks(28).map(|row| {
            let marks = row
                .iter()
                .map(|level| char::from(b" .:+#"[usize::from(*level) / 52]));
            marks.collect::<String>()
        });
        rows.collect::<Vec<_>>().join("\n")
    };
    let (found, expected) = (text(found), text(expected));
    assert!(
        mean < 9.0,
        "{what}: {mean} levels apart:\n{found}\n{expected}"
    );
}

/// Every change leaves the frame as it was.
#[track_caller]
fn assert_unchanged(what: &str, change: impl Fn(u32, u32, f32) -> f32) {
    for picture in [two(), photo((SIDE, SIDE), &SEVEN, AT, 110.0, 12.0)] {
        let found = auto(&changed(&picture, &change));
        assert_like(&found, &auto(&picture), what);
    }
}

#[test]
fn light_is_taken_out() {
    assert_unchanged("vignette", |x, y, level| {
        let [x, y] = [x, y].map(|at| at as f32 / SIDE as f32 - 0.5);
        level * (1.0 - 1.2 * (x * x + y * y))
    });
    assert_unchanged("shadow across the digit", |x, y, level| {
        if x + y / 2 > 190 { level / 2.0 } else { level }
    });
    assert_unchanged("a phone's shadow across the digit", |x, y, level| {
        let is_inside = (120..190).contains(&x) && y > 70;
        if is_inside { level / 2.0 } else { level }
    });
    assert_unchanged("shadow around the digit", |x, y, level| {
        if x > 25 || y > 60 { level / 2.0 } else { level }
    });
}

#[test]
fn a_line_under_the_digit_may_be_short() {
    for (left, right) in [(80, 140), (70, 170), (40, 200), (10, 230)] {
        assert_unchanged(&format!("underline {left} to {right}"), |x, y, level| {
            let is_inked = (200..204).contains(&y) && (left..right).contains(&x);
            if is_inked { 10.0 } else { level }
        });
        assert_unchanged(&format!("two lines {left} to {right}"), |x, y, level| {
            let is_inked = (200..203).contains(&y) || (207..210).contains(&y);
            if is_inked && (left..right).contains(&x) {
                10.0
            } else {
                level
            }
        });
    }
    assert_unchanged("underline askew", |x, y, level| {
        let is_inked = (196 + x / 16..200 + x / 16).contains(&y) && (60..180).contains(&x);
        if is_inked { 10.0 } else { level }
    });
}

#[test]
fn a_digit_in_a_circle_is_found() {
    for (radius, pen) in [(112.0, 1.0), (112.0, 3.0), (105.0, 6.0)] {
        assert_unchanged(&format!("circle of {radius}"), |x, y, level| {
            let away = (x as f32 - 119.0).hypot(y as f32 - 119.0) - radius;
            if away.abs() < pen / 2.0 { 30.0 } else { level }
        });
    }
}

#[test]
fn a_digit_on_a_disc_is_found() {
    for picture in [two(), photo((SIDE, SIDE), &SEVEN, AT, 110.0, 12.0)] {
        let disc = changed(&picture, |x, y, level| {
            let is_disc = (x as f32 - 119.0).hypot(y as f32 - 119.0) < 112.0;
            if is_disc {
                50.0 + (255.0 - level) * 0.8
            } else {
                255.0
            }
        });
        assert_like(&auto(&disc), &auto(&picture), "disc");
    }
}

#[test]
fn a_zero_is_no_circle_around_its_hole() {
    // A thin 0 with a speck inside, and a bold one.
    for (pen, speck) in [(6.0, 6.0), (9.0, 5.0), (44.0, 0.0)] {
        let zero = GrayImage::from_fn(SIDE, SIDE, |x, y| {
            let [x, y] = [x, y].map(|at| at as f32 - 119.0);
            let away = (x / 70.0).hypot(y / 95.0) - 1.0;
            let is_inked = away.abs() * 80.0 < pen / 2.0 || x.hypot(y) < speck;
            Luma([if is_inked { 20 } else { 250 }])
        });
        let frame = auto(&zero);
        let middle = frame[14 * 28 + 14];
        assert!(middle < 128, "{middle}");
        let inked = frame.iter().filter(|level| **level > 128).count();
        assert!(inked > 50, "{inked}");
    }
}

#[test]
fn paper_is_found_in_the_picture() {
    let inside = |x: u32, y: u32, margin| {
        let range = margin..SIDE - margin;
        range.contains(&x) && range.contains(&y)
    };
    for (margin, level) in [(1, 0.0), (1, 128.0), (5, 0.0), (20, 40.0)] {
        assert_unchanged(
            "border",
            |x, y, paper| if inside(x, y, margin) { paper } else { level },
        );
    }
    assert_unchanged("form's box", |x, y, paper| {
        if inside(x, y, 20) && !inside(x, y, 22) {
            30.0
        } else {
            paper
        }
    });
    assert_unchanged("strip of desk", |x, y, paper| {
        if x < 50 {
            40.0 + ((x * 7 + y * 13) % 11) as f32
        } else {
            paper
        }
    });
}

#[test]
fn other_things_are_dropped() {
    let two = two();
    let expected = auto(&two);
    // The same digit once more, whole, cut by the edge, and a blob in the corner.
    for shift in [115, 150] {
        let other = |x: u32, y| match x.checked_sub(shift) {
            Some(x) => two.get_pixel(x, y).0[0],
            None => 255,
        };
        let found = auto(&changed(&two, |x, y, level| {
            level.min(f32::from(other(x, y)))
        }));
        assert_like(&found, &expected, "another digit");
    }
    let blob = |x: u32, y: u32, level| if x + y < 70 { 90.0 } else { level };
    assert_like(&auto(&changed(&two, blob)), &expected, "a blob");
}

#[test]
fn a_digit_that_touches_the_edges_stays() {
    for (strokes, pen) in [(&TWO[..], 14.0), (&SEVEN, 14.0), (&TWO, 3.0), (&SEVEN, 3.0)] {
        let whole = photo((SIDE, SIDE), strokes, AT, 120.0, pen);
        let inked = |&(_, _, pixel): &(u32, u32, &Luma<u8>)| pixel.0[0] < 200;
        let places: Vec<_> = whole.enumerate_pixels().filter(inked).collect();
        let ends = |axis: fn(&(u32, u32, &Luma<u8>)) -> u32| {
            let places = places.iter().map(axis);
            (places.clone().min().unwrap(), places.max().unwrap() + 1)
        };
        let ((left, right), (top, bottom)) = (ends(|it| it.0), ends(|it| it.1));
        let view = ::image::imageops::crop_imm(&whole, left, top, right - left, bottom - top);
        assert_like(&auto(&view.to_image()), &auto(&whole), "cut out");
    }
}

#[test]
fn grain_is_averaged_away() {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as f32 - 127.5
    };
    let mut grainy = two();
    for pixel in grainy.iter_mut() {
        // Paper of 200, ink of 40, and a standard deviation of 46.
        let level = 40.0 + f32::from(*pixel) / 255.0 * 160.0 + noise() * 0.62;
        *pixel = level.round().clamp(0.0, 255.0) as u8;
    }
    let (found, expected) = (auto(&grainy), auto(&two()));
    let apart = found
        .iter()
        .zip(&expected)
        .map(|(a, b)| f32::from(a.abs_diff(*b)));
    assert!(apart.sum::<f32>() / 784.0 < 12.0, "{found:?}");
}

#[test]
fn colours_of_one_luma_and_transparent_margins() {
    let two = two();
    let expected = auto(&two);
    let frame = |channels, size, data: &[u8]| {
        let pixels = Pixels::of(size, channels, data, Colours::Ink).unwrap();
        assert_eq!(pixels.channels, Channels::Grey);
        auto(&GrayImage::from_raw(pixels.width, pixels.height, pixels.data).unwrap())
    };
    for (ink, paper) in [([255, 0, 0], [0, 130, 0]), ([0, 130, 0], [255, 0, 0])] {
        let mix = |level: u8| {
            let part = f32::from(level) / 255.0;
            let mixed =
                |(ink, paper): (u8, u8)| f32::from(ink) * (1.0 - part) + f32::from(paper) * part;
            [0, 1, 2].map(|channel| mixed((ink[channel], paper[channel])) as u8)
        };
        let colours: Vec<u8> = two.as_raw().iter().flat_map(|&level| mix(level)).collect();
        assert_like(
            &frame(3, (SIDE, SIDE), &colours),
            &expected,
            "red and green",
        );
    }
    let wide = SIDE + 80;
    let inside = |at: u32| at.checked_sub(40).filter(|&at| at < SIDE);
    let pixel = |index: u32| match (inside(index % wide), inside(index / wide)) {
        (Some(x), Some(y)) => {
            let level = two.get_pixel(x, y).0[0];
            [level, level, level, 255]
        }
        _ => [0, 0, 0, 60],
    };
    let card: Vec<u8> = (0..wide * wide).flat_map(pixel).collect();
    assert_like(&frame(4, (wide, wide), &card), &expected, "a card");
}

#[test]
fn a_small_digit_is_looked_at_from_closer() {
    let small = photo((1500, 1500), &TWO, (1100.0, 300.0), 24.0, 3.0);
    let large = photo((60, 60), &TWO, (20.0, 18.0), 24.0, 3.0);
    assert_like(&auto(&small), &auto(&large), "small");
}

#[test]
fn a_small_frame_with_a_border_line() {
    let frame = auto(&two());
    let inside = |at: u32| (1..27).contains(&at);
    for line in [128, 255] {
        let bordered = GrayImage::from_fn(28, 28, |x, y| {
            let level = frame[(y * 28 + x) as usize];
            Luma([if inside(x) && inside(y) { level } else { line }])
        });
        assert_like(&auto(&bordered), &frame, "light on dark");
        let inverted = changed(&bordered, |_, _, level| 255.0 - level);
        assert_like(&auto(&inverted), &frame, "dark on light");
    }
}

#[test]
fn findings_say_what_was_dropped() {
    let found = |change: &dyn Fn(u32, u32, f32) -> f32| {
        let findings = Framed::of(&changed(&two(), change)).findings;
        assert!(findings.ink_found);
        (
            findings.polarity,
            findings.dropped.iter().collect::<Vec<_>>(),
        )
    };
    let (dark, light) = (Polarity::DarkOnLight, Polarity::LightOnDark);
    assert_eq!(found(&|_, _, level| level), (dark, vec![]));
    assert_eq!(found(&|_, _, level| 255.0 - level), (light, vec![]));
    let rules = found(&|_, y, level| if y % 24 < 2 { level.min(90.0) } else { level });
    assert_eq!(rules, (dark, vec![(Thing::Line, 10)]));
    let dot = |at: Point, radius: f32| {
        move |x: u32, y: u32, level: f32| {
            let away = (x as f32 - at.0).hypot(y as f32 - at.1);
            if away < radius { 0.0 } else { level }
        }
    };
    let speck = found(&dot((20.0, 20.0), 3.0));
    assert_eq!(speck, (dark, vec![(Thing::Speck, 1)]));
    let edge = found(&dot((0.0, 230.0), 14.0));
    assert_eq!(edge, (dark, vec![(Thing::AtEdge, 1)]));
    let desk = found(&|x, _, level| if x < 40 { 60.0 } else { level });
    assert_eq!(desk, (dark, vec![(Thing::Surroundings, 1)]));
}

#[test]
fn what_is_no_writing_is_no_ink() {
    let blank = |name: &str, level: &dyn Fn(u32, u32) -> f32| {
        let sheet = GrayImage::from_pixel(SIDE, SIDE, Luma([230]));
        let picture = changed(&sheet, |x, y, _| level(x, y));
        let framed = Framed::of(&picture);
        assert!(!framed.findings.ink_found, "{name}");
        assert_eq!(framed.frame, [0; 784], "{name}");
    };
    blank("gradient", &|x, y| 20.0 + (x + y) as f32 / 2.4);
    blank("box", &|x, y| {
        let sides = [x, y].map(|at| at.abs_diff(120));
        if sides[0].max(sides[1]) / 2 == 40 {
            40.0
        } else {
            230.0
        }
    });
    blank("ruled paper with a margin", &|x, y| {
        if y % 24 < 2 || x.abs_diff(50) < 2 {
            110.0
        } else {
            230.0
        }
    });
    blank("one rule, askew", &|x, y| {
        if (y + x / 20) / 3 == 40 { 60.0 } else { 230.0 }
    });
    blank("corner in the shadow", &|x, y| {
        if x + y < 90 { 110.0 } else { 230.0 }
    });
    blank("a phone's shadow", &|x, y| {
        let is_inside = (120..190).contains(&x) && y > 70;
        if is_inside { 115.0 } else { 230.0 }
    });
    for turn in [0.04, 0.08, 0.12, 0.16, 0.2, 0.24] {
        blank(
            &format!("an empty card on a desk, turned by {turn}"),
            &|x, y| {
                let (x, y) = (x as f32 - 119.6, y as f32 - 113.9);
                let turned = [x + turn * y, y - turn * x];
                let is_card = turned.iter().all(|at| at.abs() < 72.0);
                if is_card { 240.0 } else { 67.0 }
            },
        );
    }
    blank("strip of a desk", &|x, _| if x < 30 { 60.0 } else { 230.0 });
    blank("lamp", &|x, y| {
        let [x, y] = [x, y].map(|at| at as f32 - 120.0);
        80.0 + 170.0 * (-(x * x + y * y) / 6000.0).exp()
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn pixels_of_any_kind_never_panic(
        (width, height, channels, data) in (1_u32..60, 1_u32..60, 1_u8..5).prop_flat_map(
            |(width, height, channels)| {
                let bytes = (width * height) as usize * usize::from(channels);
                let few = prop_oneof![Just(0_u8), Just(255), any::<u8>()];
                let data = proptest::collection::vec(few, bytes);
                (Just(width), Just(height), Just(channels), data)
            }
        )
    ) {
        let pixels = Pixels::of((width, height), channels, &data, Colours::Ink).unwrap();
        auto(&GrayImage::from_raw(width, height, pixels.data).unwrap());
    }
}
