//! Patches of connected pixels.

use super::hull::{Hull, extents};

/// Pixels that are connected, by a side or a corner.
#[derive(Debug, Clone)]
pub(super) struct Patch {
    /// Their places in the mask.
    pub(super) pixels: Vec<u32>,
    /// Left, top, right and bottom end.
    pub(super) bounds: [usize; 4],
    /// Pixels at the edge of the picture.
    pub(super) at_edge: usize,
}

impl Patch {
    /// The longer side of the box around it.
    pub(super) fn longer(&self) -> usize {
        let [left, top, right, bottom] = self.bounds;
        (right - left).max(bottom - top)
    }

    /// The width of the box around it.
    pub(super) fn width(&self) -> usize {
        self.bounds[2] - self.bounds[0]
    }

    /// The height of the box around it.
    pub(super) fn height(&self) -> usize {
        self.bounds[3] - self.bounds[1]
    }

    /// Its convex hull, in a picture of this width.
    pub(super) fn hull(&self, width: usize) -> Hull {
        let [_, top, _, bottom] = self.bounds;
        Hull::of(&extents(width, top..bottom, &self.pixels))
    }

    /// Pixels between its box and another's, along the axis where they are farther apart.
    pub(super) fn gap(&self, other: &Self) -> usize {
        self.columns_between(other).max(self.between(other, 1, 3))
    }

    /// Columns between its box and another's.
    pub(super) fn columns_between(&self, other: &Self) -> usize {
        self.between(other, 0, 2)
    }

    fn between(&self, other: &Self, start: usize, end: usize) -> usize {
        let (a, b) = (self.bounds, other.bounds);
        b[start]
            .saturating_sub(a[end])
            .max(a[start].saturating_sub(b[end]))
    }
}

/// The patches of a mask.
pub(super) fn patches(width: usize, mask: &[bool]) -> Vec<Patch> {
    let mut unseen = mask.to_vec();
    let mut patches = Vec::new();
    for start in 0..mask.len() {
        if unseen[start] {
            patches.push(patch_at(width, &mut unseen, start));
        }
    }
    patches
}

/// The patch that a pixel belongs to; it is taken out of the mask.
pub(super) fn patch_at(width: usize, unseen: &mut [bool], start: usize) -> Patch {
    let height = unseen.len() / width;
    unseen[start] = false;
    let mut patch = Patch {
        pixels: vec![start as u32],
        bounds: [width, height, 0, 0],
        at_edge: 0,
    };
    let mut next = 0;
    while let Some(&pixel) = patch.pixels.get(next) {
        next += 1;
        let (x, y) = (pixel as usize % width, pixel as usize / width);
        let [left, top, right, bottom] = patch.bounds;
        patch.bounds = [left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)];
        patch.at_edge += usize::from(x == 0 || y == 0 || x + 1 == width || y + 1 == height);
        for ny in y.saturating_sub(1)..(y + 2).min(height) {
            for nx in x.saturating_sub(1)..(x + 2).min(width) {
                let neighbour = ny * width + nx;
                if std::mem::take(&mut unseen[neighbour]) {
                    patch.pixels.push(neighbour as u32);
                }
            }
        }
    }
    patch
}
