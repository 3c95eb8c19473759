//! Copies of an image that are turned, moved or smaller.
//!
//! A proper digit stays the same digit in all of them. One with a broken stroke, or between two
//! digits, often does not, even where the classifier is sure of the image itself.

use std::iter::once;

use bytes::Bytes;

use crate::blocking::Lane;
use crate::error::ServeError;
use crate::runtime::{Row, Rows};
use crate::task::picture::INLINE_PIXELS;

/// An affine change of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Change {
    /// Clockwise, in degrees.
    turn: f32,
    /// What the sides are multiplied by.
    scale: f32,
    /// To the right and down, in sides of the image.
    shift: [f32; 2],
}

const SAME: Change = Change {
    turn: 0.0,
    scale: 1.0,
    shift: [0.0, 0.0],
};

/// The copies, those first that refuse most of a generator's digits: each is judged only if the
/// ones before it were passed.
pub(super) const CHANGES: [Change; 7] = [
    moved([0.0, -SHIFT]),
    moved([0.0, SHIFT]),
    Change { scale: 0.7, ..SAME },
    Change { turn: 25.0, ..SAME },
    Change {
        turn: -25.0,
        ..SAME
    },
    moved([-SHIFT, 0.0]),
    moved([SHIFT, 0.0]),
];

/// Four of 28 pixels.
const SHIFT: f32 = 1.0 / 7.0;

const fn moved(shift: [f32; 2]) -> Change {
    Change { shift, ..SAME }
}

impl Change {
    /// A copy of each grey image of one size (width, height): of many on a blocking thread.
    pub(super) async fn each(
        self,
        blocking: Lane<'_>,
        frames: impl ExactSizeIterator<Item = Bytes>,
        size: [usize; 2],
    ) -> Result<Rows, ServeError> {
        let is_short = (frames.len() * size[0] * size[1]) as u64 <= INLINE_PIXELS;
        let copy = move |_, frame: Bytes| Ok(once(Bytes::from(self.of(&frame, size))).collect());
        blocking
            .each::<_, Row>(is_short, frames.collect(), copy)
            .await
    }

    /// The copy of a grey image `[height, width]`, interpolated bilinearly. What comes in from
    /// outside is black.
    fn of(self, pixels: &[u8], [width, height]: [usize; 2]) -> Vec<u8> {
        let (sine, cosine) = self.turn.to_radians().sin_cos();
        let middle = [width, height].map(|side| (side as f32 - 1.0) / 2.0);
        let level = |x: f32, y: f32| {
            let is_inside = x >= 0.0 && y >= 0.0 && x < width as f32 && y < height as f32;
            let at = || pixels[y as usize * width + x as usize];
            if is_inside { f32::from(at()) } else { 0.0 }
        };
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x as f32, y as f32)));
        let pixel = |(x, y): (f32, f32)| {
            // Where it lies in the image.
            let x = (x - middle[0] - self.shift[0] * width as f32) / self.scale;
            let y = (y - middle[1] - self.shift[1] * height as f32) / self.scale;
            let (x, y) = (cosine * x + sine * y, cosine * y - sine * x);
            let (x, y) = (x + middle[0], y + middle[1]);
            let (left, top) = (x.floor(), y.floor());
            let (right_part, lower_part) = (x - left, y - top);
            let row = |y| level(left, y) * (1.0 - right_part) + level(left + 1.0, y) * right_part;
            (row(top) * (1.0 - lower_part) + row(top + 1.0) * lower_part).round() as u8
        };
        places.map(pixel).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    /// The pixels that are not black, by column and row.
    fn lit(pixels: &[u8], width: usize) -> Vec<(usize, usize)> {
        let lit = (0..pixels.len()).filter(|at| pixels[*at] > 0);
        lit.map(|at| (at % width, at / width)).collect()
    }

    #[test]
    fn a_copy_is_moved_turned_or_smaller() {
        let mut image = vec![0; 29 * 29];
        image[14 * 29 + 24] = 200;
        let copy = |change: Change| lit(&change.of(&image, [29, 29]), 29);
        let to = |shift| copy(Change { shift, ..SAME });
        assert_eq!(to([2.0 / 29.0, 0.0]), [(26, 14)]);
        assert_eq!(to([0.0, -3.0 / 29.0]), [(24, 11)]);
        assert_eq!(to([10.0 / 29.0, 0.0]), []);
        // Clockwise: what lay on the right comes to the bottom.
        let turned = copy(Change { turn: 90.0, ..SAME });
        assert!(turned.contains(&(14, 24)), "{turned:?}");
        let smaller = copy(Change { scale: 0.5, ..SAME });
        assert!(smaller.iter().all(|at| *at == (19, 14)), "{smaller:?}");
    }

    proptest! {
        #[test]
        fn nothing_changed_is_the_same_image(
            pixels in proptest::collection::vec(any::<u8>(), 12),
            width in proptest::sample::select(vec![1_usize, 2, 3, 4, 6, 12]),
        ) {
            prop_assert_eq!(SAME.of(&pixels, [width, 12 / width]), pixels);
        }
    }
}
