//! Whether a picture has several things that could each be the digit: a number, a word, a barcode.
//! One of them would be no answer.

use super::digit::Kept;
use super::patches::{Patch, patches};
use super::writing::{BROAD, RECTANGULAR, is_solid};

/// Another patch can be a digit as well if it has this part of the main one's pixels and that part
/// of its length.
const LIKE: (f32, f32) = (0.25, 0.6);
/// It is also as long as this, in pixels.
const LEAST_LENGTH: usize = 5;
/// No digit is as many times wider than high; a dash, an arrow and a smear are.
const WIDEST: f32 = 1.4;
/// What is narrower than this part of its height is a 1, a bracket or a bar.
const NARROW: f32 = 0.45;
/// Others that are narrow, of which a barcode has this many. Two may be brackets around a digit.
const BARS: usize = 3;
/// Less than this part of a box is ink.
const BOX: f32 = 0.5;
/// A piece of a box has less than this part of the box's pixels.
const PIECE: f32 = 0.7;

/// Whether two other patches can be digits as well, one of which is as wide as most digits, or many
/// narrow ones. `all` is the ink before anything was cleared.
pub(super) fn is_one_of_several(width: usize, kept: &Kept, all: &[bool]) -> bool {
    let Some((main, parts)) = kept.patches.split_first() else {
        return false;
    };
    let others = parts.iter().chain(&kept.others);
    let alike = others.filter(|it| is_like(main, it) && !is_blot(width, it) && !is_box(width, it));
    let alike: Vec<&Patch> = alike.collect();
    if alike.len() < 2 {
        return false;
    }
    let boxes = boxes(width, all);
    let alike = alike.into_iter().filter(|it| !is_piece(it, &boxes));
    let is_narrow = |it: &&Patch| (it.width() as f32) < NARROW * it.height() as f32;
    let (narrow, wide): (Vec<_>, Vec<_>) = alike.partition(is_narrow);
    narrow.len() >= BARS || !wide.is_empty() && wide.len() + narrow.len() >= 2
}

fn is_like(main: &Patch, other: &Patch) -> bool {
    other.at_edge == 0
        && other.longer() >= LEAST_LENGTH
        && other.width() as f32 <= WIDEST * other.height() as f32
        && other.pixels.len() as f32 >= LIKE.0 * main.pixels.len() as f32
        && other.longer() as f32 >= LIKE.1 * main.longer() as f32
}

/// Whether a patch is broad and has no strokes: a blot, a hole, a rubber.
fn is_blot(width: usize, patch: &Patch) -> bool {
    let shorter = patch.width().min(patch.height());
    shorter as f32 >= BROAD.0 * patch.longer() as f32 && is_solid(width, patch)
}

fn is_box(width: usize, patch: &Patch) -> bool {
    let hull = patch.hull(width);
    hull.area() >= RECTANGULAR * hull.rectangle_area()
        && (patch.pixels.len() as f32) < BOX * hull.area()
}

/// For each pixel, how many pixels the box has that it belongs to; 0 where it belongs to none.
fn boxes(width: usize, all: &[bool]) -> Vec<usize> {
    let mut boxes = vec![0; all.len()];
    for whole in patches(width, all) {
        if is_box(width, &whole) {
            for &pixel in &whole.pixels {
                boxes[pixel as usize] = whole.pixels.len();
            }
        }
    }
    boxes
}

/// Whether a patch is what is left of a box, or of several side by side, without their long lines.
fn is_piece(patch: &Patch, boxes: &[usize]) -> bool {
    let whole = patch.pixels.iter().map(|pixel| boxes[*pixel as usize]);
    let whole = whole.max().unwrap_or_default();
    (patch.pixels.len() as f32) < PIECE * whole as f32
}

#[cfg(test)]
mod tests {
    use ::image::{GrayImage, Luma};

    use crate::image::Framed;
    use crate::image::drawing::{TWO, photo};

    const SIDE: u32 = 240;

    /// Squares side by side, each with the paper and ink of `level`.
    fn row(squares: u32, level: impl Fn(u32, u32, u32) -> u8) -> GrayImage {
        GrayImage::from_fn(squares * SIDE, SIDE, |x, y| {
            Luma([level(x / SIDE, x % SIDE, y)])
        })
    }

    #[track_caller]
    fn assert_found(picture: &GrayImage, expected: bool, what: &str) {
        let found = Framed::of(picture).findings.ink_found;
        assert_eq!(found, expected, "{what}");
    }

    fn two() -> GrayImage {
        photo((SIDE, SIDE), &TWO, (85.0, 60.0), 120.0, 14.0)
    }

    #[test]
    fn a_number_is_no_digit() {
        let two = two();
        for digits in 1..=4 {
            let number = row(4, |square, x, y| {
                let is_paper = square >= digits;
                if is_paper {
                    255
                } else {
                    two.get_pixel(x, y).0[0]
                }
            });
            assert_found(&number, digits <= 2, &format!("{digits} digits"));
        }
        let column = GrayImage::from_fn(SIDE, 3 * SIDE, |x, y| *two.get_pixel(x, y % SIDE));
        assert_found(&column, false, "a column");
    }

    /// From closer, a bar has few others beside it.
    #[test]
    fn a_barcode_is_no_digit() {
        for bar in [3, 6, 20] {
            let is_bar = |x: u32, y| x / bar % 2 == 1 && (60..180).contains(&y);
            let level = |x, y| Luma([if is_bar(x, y) { 20 } else { 235 }]);
            let barcode = GrayImage::from_fn(4 * SIDE, SIDE, level);
            assert_found(&barcode, false, &format!("bars of {bar} pixels"));
        }
    }

    #[test]
    fn a_digit_stays_between_things_that_are_none() {
        let two = two();
        let beside = |is_ink: &dyn Fn(u32, u32) -> bool| {
            row(3, |square, x, y| match square {
                1 => two.get_pixel(x, y).0[0],
                _ if is_ink(x, y) => 20,
                _ => 255,
            })
        };
        let bracket = |x: u32, y| {
            let is_side = x.abs_diff(120) < 5 && (50..190).contains(&y);
            is_side || (116..146).contains(&x) && (50..58).contains(&y)
        };
        assert_found(&beside(&bracket), true, "brackets");
        let box_of = |x: u32, y: u32| {
            let away = x.abs_diff(120).max(y.abs_diff(120));
            (78..82).contains(&away)
        };
        assert_found(&beside(&box_of), true, "boxes");
        let blot = |x: u32, y: u32| x.abs_diff(120).pow(2) + y.abs_diff(120).pow(2) < 1_600;
        assert_found(&beside(&blot), true, "blots");
        let dash = |x: u32, y: u32| x.abs_diff(120) < 70 && y.abs_diff(120) < 8;
        assert_found(&beside(&dash), true, "dashes");

        let cells = row(4, |square, x, y| {
            let is_line = y.abs_diff(120).abs_diff(90) < 2 || !(2..SIDE - 2).contains(&x);
            match (square, is_line && (29..=211).contains(&y)) {
                (_, true) => 20,
                (2, _) => two.get_pixel(x, y).0[0],
                _ => 255,
            }
        });
        assert_found(&cells, true, "a row of cells");
    }
}
