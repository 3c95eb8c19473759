//! The images and texts of a bundle's golden samples.
//!
//! They are made here, not taken from a data set, so that a bundle carries nobody's data.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use quintet_bundle::image::{Framing, frame_digit, to_grey};
use quintet_data::mnist::CLASSES;

use crate::error::Error;
use crate::plots::{FONT, with_fonts};

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

/// The digits 0 to 9 in type, framed as MNIST frames its digits: uint8 `[10, 28, 28]`.
pub fn digits() -> Result<Vec<u8>, Error> {
    let mut pixels = Vec::new();
    for digit in 0..CLASSES {
        let mut canvas = vec![0_u8; (CANVAS * CANVAS * 3) as usize];
        with_fonts("golden samples".as_ref(), || {
            let size = (CANVAS, CANVAS);
            let root = BitMapBackend::with_buffer(&mut canvas, size).into_drawing_area();
            let middle = Pos::new(HPos::Center, VPos::Center);
            let style = (FONT, 56).into_font().color(&WHITE).pos(middle);
            let at = (CANVAS as i32 / 2, CANVAS as i32 / 2);
            root.draw(&Text::new(digit.to_string(), at, style))?;
            root.present()
        })?;
        let grey = to_grey(CANVAS, CANVAS, 3, &canvas).expect("the canvas has this size");
        pixels.extend(frame_digit(&grey, Framing::Auto));
    }
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use quintet_data::mnist::SIDE;

    use super::*;

    #[test]
    fn ten_different_digits_are_drawn() {
        let pixels = digits().unwrap();
        assert_eq!(pixels.len(), CLASSES * SIDE * SIDE);
        let frames: Vec<&[u8]> = pixels.chunks(SIDE * SIDE).collect();
        for (digit, frame) in frames.iter().enumerate() {
            let ink: u32 = frame.iter().map(|&value| u32::from(value)).sum();
            assert!(ink > 5_000, "{digit} has an ink of only {ink}");
            assert!(
                frames[..digit].iter().all(|other| other != frame),
                "{digit} is not new"
            );
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
