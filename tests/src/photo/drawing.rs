//! The ink of a digit, before there is paper.

use image::GrayImage;

/// How much ink lies where: 0 is none, 1 is full ink.
#[derive(Debug, Clone)]
pub struct Drawing {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) ink: Vec<f32>,
    /// MNIST's own pixels, where it was made of them.
    pub(super) frame: Option<Vec<u8>>,
}

impl Drawing {
    /// An MNIST frame of 28×28 pixels, redrawn with smooth outlines in `side` pixels.
    ///
    /// # Panics
    /// The frame has another size.
    pub fn redrawn(frame: &[u8], side: usize) -> Self {
        assert_eq!(frame.len(), 28 * 28, "a frame has 28x28 pixels");
        let scale = 28.0 / side as f32;
        let mut ink = Vec::with_capacity(side * side);
        for y in 0..side {
            let rows = weights((y as f32 + 0.5) * scale);
            for x in 0..side {
                let columns = weights((x as f32 + 0.5) * scale);
                let mut sum = 0.0;
                for (row, down) in rows {
                    for (column, across) in columns {
                        sum += f32::from(frame[row * 28 + column]) / 255.0 * down * across;
                    }
                }
                // The outline is sharp, but for two pixels.
                ink.push(smooth((sum - 0.28) / 0.27));
            }
        }
        Self {
            width: side,
            height: side,
            ink,
            frame: Some(frame.to_vec()),
        }
    }

    /// A picture of black ink on white paper.
    pub fn of(picture: &GrayImage) -> Self {
        let ink = picture.as_raw().iter();
        Self {
            width: picture.width() as usize,
            height: picture.height() as usize,
            ink: ink.map(|&level| 1.0 - f32::from(level) / 255.0).collect(),
            frame: None,
        }
    }

    /// The ink at a place; none outside.
    pub(super) fn at(&self, x: isize, y: isize) -> f32 {
        let inside = |at: isize, size| usize::try_from(at).ok().filter(|&at| at < size);
        match (inside(x, self.width), inside(y, self.height)) {
            (Some(x), Some(y)) => self.ink[y * self.width + x],
            _ => 0.0,
        }
    }

    /// The ink between the middles of four pixels.
    pub(super) fn between(&self, place: [f32; 2]) -> f32 {
        let [x, y] = place.map(|at| at - 0.5);
        let (left, top) = (x.floor(), y.floor());
        let row = |down: isize| {
            let at = |across| self.at(left as isize + across, top as isize + down);
            at(0) + (at(1) - at(0)) * (x - left)
        };
        row(0) + (row(1) - row(0)) * (y - top)
    }

    /// Left, top, right and bottom end of the ink.
    pub(super) fn bounds(&self) -> [usize; 4] {
        let mut bounds = [self.width, self.height, 0, 0];
        for (index, _) in self.ink.iter().enumerate().filter(|(_, ink)| **ink > 0.5) {
            let (x, y) = (index % self.width, index / self.width);
            let [left, top, right, bottom] = bounds;
            bounds = [left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)];
        }
        bounds
    }
}

/// The three pixels of a frame around a coordinate, and their weights in a quadratic B-spline.
fn weights(at: f32) -> [(usize, f32); 3] {
    let middle = at.floor();
    let off = at - middle - 0.5;
    let pixel = |step: f32| (middle + step).clamp(0.0, 27.0) as usize;
    [
        (pixel(-1.0), 0.5 * (0.5 - off).powi(2)),
        (pixel(0.0), 0.75 - off * off),
        (pixel(1.0), 0.5 * (0.5 + off).powi(2)),
    ]
}

/// A smooth step from 0 to 1.
pub(super) fn smooth(at: f32) -> f32 {
    let at = at.clamp(0.0, 1.0);
    at * at * (3.0 - 2.0 * at)
}
