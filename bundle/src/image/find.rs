//! The digit's ink in any picture.
//!
//! 1. `levels` bounds the size, `noise` averages grain away.
//! 2. `card` cuts the picture down to the paper in it.
//! 3. `polarity` decides whether the ink is the darker or the lighter side.
//! 4. `light` takes light and shadow away, `ink` finds what stands out from the paper.
//! 5. `rules` clears lines, `digit` everything else that is not the digit.
//!
//! Where the digit is small, its surroundings go through the same steps again.

use super::GrayImage;
use super::ink::Ink;
use super::levels::{Levels, Region};
use super::{card, digit, light, noise, polarity, rules};

/// Longer side of the picture that is worked on, in pixels.
const WORKING_SIDE: usize = 192;
/// A digit whose longer side is shorter than this in the picture that is worked on is looked at
/// again from closer, in pixels.
const SMALL: usize = 96;

/// The ink of the digit; `None` where nothing stands out.
pub(super) fn digit(image: &GrayImage) -> Option<Ink> {
    if image.width() == 0 || image.height() == 0 {
        return None;
    }
    let whole = [0, 0, image.width() as usize, image.height() as usize];
    let (levels, factor) = Levels::of(image, whole, WORKING_SIDE);
    let (ink, offset) = look(levels)?;
    let closer = around(&ink, offset, factor, whole);
    let closer = closer.and_then(|region| look(Levels::of(image, region, WORKING_SIDE).0));
    Some(closer.map_or(ink, |(ink, _)| ink))
}

/// The ink of the digit in a picture, and where its top left corner lies there.
fn look(mut levels: Levels) -> Option<(Ink, [usize; 2])> {
    noise::smooth(&mut levels);
    let offset = card::cut_out(&mut levels);
    if !polarity::ink_is_dark(&levels) {
        levels.invert();
    }
    let mut ink = Ink::of(light::missing(&levels))?;
    rules::erase(levels.width, &mut ink.mask);
    digit::keep(levels.width, &mut ink.mask);
    Some((ink, offset))
}

/// The part of the whole picture around a digit that is small in the picture that was worked on.
fn around(ink: &Ink, offset: [usize; 2], factor: usize, whole: Region) -> Option<Region> {
    let [left, top, right, bottom] = ink.bounds()?;
    let longer = (right - left).max(bottom - top);
    if factor == 1 || longer >= SMALL {
        return None;
    }
    let start = |at: usize, offset: usize| (at + offset).saturating_sub(longer / 2) * factor;
    let end = |at: usize, offset: usize, end: usize| ((at + offset + longer / 2) * factor).min(end);
    let [x, y] = offset;
    Some([
        start(left, x),
        start(top, y),
        end(right, x, whole[2]),
        end(bottom, y, whole[3]),
    ])
}

#[cfg(test)]
mod tests;
