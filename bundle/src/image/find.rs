//! The digit's ink in any picture.
//!
//! 1. `levels` bounds the size, `noise` averages grain away.
//! 2. `card` cuts the picture down to the paper in it.
//! 3. `polarity` decides whether the ink is the darker or the lighter side.
//! 4. `light` takes light and shadow away, `ink` finds what stands out from the paper, and `shade`
//!    ink from a shadow that is too small for paper.
//! 5. `rules` clears lines, `digit` everything else that is not the digit.
//! 6. `several` and `writing` decide whether what is left can be the digit.
//!
//! Where the digit is small, its surroundings go through the same steps again.

use super::findings::{Dropped, Polarity, Thing};
use super::ink::Ink;
use super::levels::{Levels, Region};
use super::{GrayImage, card, digit, light, noise, polarity, rules, several, shade, writing};

/// Longer side of the picture that is worked on, in pixels.
const WORKING_SIDE: usize = 192;
/// A digit whose longer side is shorter than this in the picture that is worked on is looked at
/// again from closer, in pixels.
const SMALL: usize = 96;

/// What a look at a picture found.
pub(super) struct Found {
    /// The ink of the digit; `None` where nothing stands out.
    pub(super) ink: Option<Ink>,
    pub(super) polarity: Polarity,
    pub(super) dropped: Dropped,
    /// Whether the ink can be a digit.
    is_digit: bool,
    /// Whether what lies around the ink rules a digit out: a shadow, or more digits. A closer look
    /// would not see it.
    is_ruled_out: bool,
    /// Where the top left corner of the ink's picture lies.
    offset: [usize; 2],
}

impl Found {
    const NOTHING: Self = Self {
        ink: None,
        polarity: Polarity::DarkOnLight,
        dropped: Dropped::NONE,
        is_digit: false,
        is_ruled_out: false,
        offset: [0; 2],
    };
}

/// Looks for a digit.
pub(super) fn digit(image: &GrayImage) -> Found {
    if image.as_raw().is_empty() {
        return Found::NOTHING;
    }
    let whole = [0, 0, image.width() as usize, image.height() as usize];
    let (levels, factor) = Levels::of(image, whole, WORKING_SIDE);
    let mut found = look(levels);
    let region = found
        .ink
        .as_ref()
        .filter(|_| !found.is_ruled_out)
        .and_then(|ink| around(ink, found.offset, factor, whole));
    let closer = region.map(|region| look(Levels::of(image, region, WORKING_SIDE).0));
    if let Some(closer) = closer.filter(|closer| closer.ink.is_some()) {
        (found.ink, found.is_digit) = (closer.ink, closer.is_digit);
    }
    let is_digit = found.is_digit && !found.is_ruled_out;
    found.ink.take_if(|_| !is_digit);
    found
}

/// Looks at a picture once.
fn look(mut levels: Levels) -> Found {
    let mut dropped = Dropped::NONE;
    noise::smooth(&mut levels);
    let offset = card::cut_out(&mut levels, &mut dropped);
    let polarity = polarity::of(&levels);
    if polarity == Polarity::LightOnDark {
        levels.invert();
    }
    let mut ink = Ink::of(light::missing(&levels, &mut dropped));
    if let Some(darker) = ink.as_ref().and_then(shade::without_shadow) {
        dropped.add(Thing::Shadow, 1);
        ink = Some(darker);
    }
    let mut is_ruled_out = false;
    let is_digit = ink.as_mut().is_some_and(|ink| {
        let all = ink.mask.clone();
        dropped.add(Thing::Line, rules::erase(levels.width, &mut ink.mask));
        let kept = digit::keep(levels.width, &mut ink.mask, &mut dropped);
        let patches = &kept.patches;
        let is_one_of_several = several::is_one_of_several(levels.width, &kept, &all);
        is_ruled_out = is_one_of_several || writing::is_shadow(&levels, patches, &dropped);
        !is_one_of_several && writing::is_digit(ink, patches, &all, &dropped)
    });
    Found {
        ink,
        polarity,
        dropped,
        is_digit,
        is_ruled_out,
        offset,
    }
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
