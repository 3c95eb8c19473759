//! The images and texts of a bundle's golden samples.
//!
//! They are made here, not taken from a data set, so that a bundle carries nobody's data.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use quintet_bundle::image::{Framing, GrayImage, frame_digit, to_grey};
use quintet_data::mnist::{CLASSES, SIDE};

use crate::error::Error;
use crate::plots::{Area, DrawError, FONT, with_fonts};

const CANVAS: u32 = 64;

/// Reviews of all lengths, one of them longer than `max_tokens`.
pub fn reviews(max_tokens: usize) -> Vec<String> {
    let long = "It starts slowly and ends well, and in between there is a lot to laugh about. ";
    let mut reviews: Vec<String> = [
        "",
        "Great!",
        "Terrible.",
        "The best film I have seen this year, wonderful actors and a perfect ending.",
        "A complete waste of time. The plot is stupid and the acting is awful.",
        "I wanted to like it. The music is good, but the story is boring and far too long.",
        "Not bad at all.",
        "Zyxwvut qponmlk jihgfed",
    ]
    .map(str::to_owned)
    .into();
    reviews.push(long.repeat(max_tokens.div_ceil(10)));
    reviews
}

// Outlines of garments, in pixels of a canvas of 28×28: one of each kind of Fashion-MNIST.
const GARMENTS: [&[(i32, i32)]; CLASSES] = [
    // T-shirt
    &[
        (9, 3),
        (19, 3),
        (26, 9),
        (22, 12),
        (20, 10),
        (20, 25),
        (8, 25),
        (8, 10),
        (6, 12),
        (2, 9),
    ],
    // Trouser
    &[
        (9, 1),
        (19, 1),
        (20, 27),
        (15, 27),
        (14, 8),
        (13, 27),
        (8, 27),
    ],
    // Pullover
    &[
        (10, 2),
        (18, 2),
        (26, 24),
        (22, 26),
        (20, 12),
        (20, 26),
        (8, 26),
        (8, 12),
        (6, 26),
        (2, 24),
    ],
    // Dress
    &[(11, 0), (17, 0), (17, 10), (20, 27), (8, 27), (11, 10)],
    // Coat
    &[
        (9, 1),
        (19, 1),
        (24, 26),
        (20, 27),
        (15, 27),
        (14, 4),
        (13, 27),
        (8, 27),
        (4, 26),
    ],
    // Sandal
    &[
        (1, 16),
        (9, 18),
        (14, 12),
        (18, 15),
        (26, 8),
        (25, 20),
        (23, 14),
        (16, 20),
        (1, 20),
    ],
    // Shirt
    &[
        (10, 1),
        (14, 4),
        (18, 1),
        (24, 18),
        (21, 19),
        (20, 27),
        (8, 27),
        (7, 19),
        (4, 18),
    ],
    // Sneaker
    &[(1, 18), (10, 14), (15, 9), (25, 10), (27, 20), (1, 21)],
    // Bag
    &[
        (2, 12),
        (9, 11),
        (11, 6),
        (17, 6),
        (19, 11),
        (26, 12),
        (26, 25),
        (2, 25),
    ],
    // Ankle boot
    &[
        (1, 20),
        (10, 15),
        (14, 3),
        (25, 2),
        (26, 24),
        (22, 24),
        (18, 22),
        (1, 24),
    ],
];

/// The digits 0 to 9 in type, framed as MNIST frames its digits: uint8 `[10, 28, 28]`.
pub fn digits() -> Result<Vec<u8>, Error> {
    let mut pixels = Vec::new();
    for digit in 0..CLASSES {
        let grey = drawn(CANVAS, |root| {
            let middle = Pos::new(HPos::Center, VPos::Center);
            let style = (FONT, 56).into_font().color(&WHITE).pos(middle);
            let at = (CANVAS as i32 / 2, CANVAS as i32 / 2);
            root.draw(&Text::new(digit.to_string(), at, style))
        })?;
        pixels.extend(frame_digit(&grey, Framing::Auto));
    }
    Ok(pixels)
}

/// Outlines of garments, filled with greys, on black: uint8 `[10, 28, 28]`.
pub fn garments() -> Result<Vec<u8>, Error> {
    let mut pixels = Vec::new();
    for (kind, outline) in (0_u8..).zip(GARMENTS) {
        let level = 120 + 13 * kind;
        let fill = RGBColor(level, level, level);
        let outline = Polygon::new(outline.to_vec(), fill);
        let grey = drawn(SIDE as u32, |root| root.draw(&outline))?;
        pixels.extend(grey.as_raw());
    }
    Ok(pixels)
}

// What is drawn on a black square.
fn drawn(
    side: u32,
    draw: impl FnOnce(&Area<'_>) -> Result<(), DrawError>,
) -> Result<GrayImage, Error> {
    let mut canvas = vec![0_u8; (side * side * 3) as usize];
    with_fonts("golden samples".as_ref(), || {
        let root = BitMapBackend::with_buffer(&mut canvas, (side, side)).into_drawing_area();
        draw(&root)?;
        root.present()
    })?;
    Ok(to_grey(side, side, 3, &canvas).expect("the canvas has this size"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_different_pictures_are_drawn() {
        for pixels in [digits().unwrap(), garments().unwrap()] {
            assert_eq!(pixels.len(), CLASSES * SIDE * SIDE);
            let frames: Vec<&[u8]> = pixels.chunks(SIDE * SIDE).collect();
            for (class, frame) in frames.iter().enumerate() {
                let ink: u32 = frame.iter().map(|&value| u32::from(value)).sum();
                assert!(ink > 5_000, "{class} has an ink of only {ink}");
                assert!(
                    frames[..class].iter().all(|other| other != frame),
                    "{class} is not new"
                );
            }
        }
    }

    #[test]
    fn one_review_is_longer_than_a_network_reads() {
        let words = |review: &String| review.split_whitespace().count();
        for max_tokens in [1, 200, 512] {
            assert!(reviews(max_tokens).iter().map(words).max() > Some(max_tokens));
        }
    }
}
