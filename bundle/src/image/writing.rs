//! Whether ink can be writing: light, lines, the edge of a desk and noise cannot.
//!
//! The bounds lie beyond every one of thousands of MNIST's digits on paper of all kinds
//! (`docs/pictures.md`).

use super::findings::{Dropped, Thing};
use super::ink::Ink;
use super::levels::{Levels, quantile};
use super::patches::{Patch, patch_at};
use super::strokes::stroke_width;

/// A digit is at least as long as this, in pixels.
const LEAST_LENGTH: usize = 6;
/// Neighbours as large as parts of the digit, of which a texture has this many.
const TEXTURE: u32 = 12;
/// What is left at the edges of a card are several patches without strokes: the one that was kept has
/// at least three neighbours.
const SLIVERS: u32 = 3;
/// What covers this part of a side of the picture lies around the paper.
const SIDE_COVERED: f32 = 0.97;
/// At the outline of light, less than this part of the contrast is lost over the width of its
/// strokes, and less than that part from pixel to pixel.
const SOFT: (f32, f32) = (1.35, 0.2);
/// No digit is as many times wider than high; a rule is.
const WIDEST: f32 = 3.2;
/// What fills this part of its convex hull has no strokes; but for a 1, which is one.
const SOLID: f32 = 0.8;
/// A solid patch that fills less than this part of the smallest rectangle around it is a wedge.
const WEDGE: f32 = 0.68;
/// A solid patch that has more than this part of its outline at the picture's edge is cut off.
const CUT_OFF: f32 = 0.45;
/// A solid patch that has this part of the picture's longer side at its edge, and at one side
/// alone, reaches into the picture.
const REACHES_IN: f32 = 0.2;
/// Strokes of this many parts of the longer side are too broad for a 1, in a patch that fills that
/// part of its convex hull.
pub(super) const BROAD: (f32, f32) = (0.3, 0.9);
/// What is shorter than this part of the picture, and touches its edge, is where a shadow ends.
const SHADOW: f32 = 0.2;
/// A rectangle, solid or hollow, fills this part of the smallest one around it.
pub(super) const RECTANGULAR: f32 = 0.95;
/// The pen of a box, in parts of its longer side.
const PEN: f32 = 0.06;
/// Least part of a box that is its inside.
const INSIDE: f32 = 0.5;
/// Most of a box's ink that lies inside.
const INKED: f32 = 0.02;

/// Whether the ink that was kept, of these patches, can be a digit. `all` is the ink before
/// anything was cleared.
pub(super) fn is_digit(ink: &Ink, kept: &[Patch], all: &[bool], dropped: &Dropped) -> bool {
    let Some([left, top, right, bottom]) = ink.bounds() else {
        return false;
    };
    let width = ink.contrast.width;
    let is_no_part =
        |patch| is_rule(patch) || is_block(patch) || is_cut_off(width, patch, &ink.mask);
    let slope = slope(ink, kept);
    let is_other = (right - left).max(bottom - top) < LEAST_LENGTH
        || dropped.count(Thing::Neighbour) >= TEXTURE
        || kept.iter().all(is_no_part)
        || slope < SOFT.1 && slope * stroke_width(width, &ink.mask) < SOFT.0
        // The bar of a 7 that is cut out tightly may cover a side, too.
        || covers_a_side(width, &ink.mask)
            && (slope < SOFT.1 || kept.iter().all(|patch| is_solid(width, patch)))
        || is_on_a_box(width, kept, all);
    !is_other
}

/// Whether the ink that was kept is what is left of a shadow at the edge of the picture, or of a
/// card that was taken for light.
pub(super) fn is_shadow(picture: &Levels, kept: &[Patch], dropped: &Dropped) -> bool {
    let least = SHADOW * picture.width.max(picture.height) as f32;
    let is_end = |patch: &Patch| patch.at_edge > 0 && (patch.longer() as f32) < least;
    let are_slivers = dropped.count(Thing::Neighbour) >= SLIVERS
        && kept.iter().all(|patch| is_solid(picture.width, patch));
    dropped.count(Thing::Shadow) > 0 && (are_slivers || kept.iter().all(is_end))
}

/// Whether a whole side of the picture is covered.
fn covers_a_side(width: usize, mask: &[bool]) -> bool {
    let last = mask.len() - width;
    let is_covered = |side: &mut dyn Iterator<Item = &bool>| {
        let (mut inked, mut length) = (0, 0);
        for pixel in side {
            inked += usize::from(*pixel);
            length += 1;
        }
        inked as f32 >= SIDE_COVERED * length as f32
    };
    is_covered(&mut mask[..width].iter())
        || is_covered(&mut mask[last..].iter())
        || is_covered(&mut mask.iter().step_by(width))
        || is_covered(&mut mask[width - 1..].iter().step_by(width))
}

fn is_rule(patch: &Patch) -> bool {
    patch.width() as f32 > WIDEST * patch.height() as f32
}

/// Whether a patch is a solid rectangle that is too broad for a 1: paper within a border line.
fn is_block(patch: &Patch) -> bool {
    let (across, down) = (patch.width(), patch.height());
    across.min(down) as f32 >= BROAD.0 * across.max(down) as f32
        && patch.pixels.len() as f32 >= RECTANGULAR * (across * down) as f32
}

/// Whether a patch is a shadow, a finger or a piece of desk at the edge of the picture.
fn is_cut_off(width: usize, patch: &Patch, mask: &[bool]) -> bool {
    if patch.at_edge == 0 {
        return false;
    }
    let hull = patch.hull(width);
    let area = patch.pixels.len() as f32;
    if area < SOLID * hull.area() {
        return false;
    }
    let is_outline = |pixel: &&u32| !is_surrounded(width, mask, **pixel as usize);
    let outline = patch.pixels.iter().filter(is_outline).count() as f32;
    // As `strokes::stroke_width`, of which `outline` counts pixels and not their sides.
    let is_broad = 2.0 * area / outline >= BROAD.0 * patch.longer() as f32;
    let [left, top, right, bottom] = patch.bounds;
    let height = mask.len() / width;
    let sides = [left == 0, top == 0, right == width, bottom == height];
    let is_at_one = sides.into_iter().filter(|is_touched| *is_touched).count() == 1;
    covers_a_corner(width, patch, mask)
        || is_at_one && patch.at_edge as f32 >= REACHES_IN * width.max(height) as f32
        || hull.area() < WEDGE * hull.rectangle_area()
        || patch.at_edge as f32 > CUT_OFF * outline
        || is_broad && area >= BROAD.1 * hull.area()
}

/// Whether a patch fills its convex hull: it has no strokes, or is one.
pub(super) fn is_solid(width: usize, patch: &Patch) -> bool {
    patch.pixels.len() as f32 >= SOLID * patch.hull(width).area()
}

/// Whether a patch covers a corner of the picture.
fn covers_a_corner(width: usize, patch: &Patch, mask: &[bool]) -> bool {
    let [left, top, right, bottom] = patch.bounds;
    let last = mask.len() - width;
    let (is_left, is_right) = (left == 0, right == width);
    let is_covered = |row: usize| is_left && mask[row] || is_right && mask[row + width - 1];
    top == 0 && is_covered(0) || bottom * width == mask.len() && is_covered(last)
}

/// The part of its contrast that ink loses from pixel to pixel at its outline; 1 where there is no
/// outline within the picture.
fn slope(ink: &Ink, kept: &[Patch]) -> f32 {
    let (width, levels) = (ink.contrast.width, &ink.contrast.data);
    let slope = |&pixel: &u32| {
        let pixel = pixel as usize;
        let (x, below) = (pixel % width, pixel + width);
        let is_inside = x > 0 && x + 1 < width && pixel >= width && below < levels.len();
        if !is_inside || is_surrounded(width, &ink.mask, pixel) {
            return None;
        }
        let across = levels[pixel + 1] - levels[pixel - 1];
        let down = levels[below] - levels[pixel - width];
        Some(across.hypot(down) / 2.0)
    };
    let pixels = kept.iter().flat_map(|patch| &patch.pixels);
    let slopes: Vec<f32> = pixels.filter_map(slope).collect();
    quantile(&slopes, 0.5).map_or(1.0, |slope| slope / ink.full())
}

/// Whether a pixel at none of the picture's edges has ink on all of its sides.
fn is_surrounded(width: usize, mask: &[bool], pixel: usize) -> bool {
    let x = pixel % width;
    x > 0
        && x + 1 < width
        && pixel >= width
        && pixel + width < mask.len()
        && mask[pixel - 1]
        && mask[pixel + 1]
        && mask[pixel - width]
        && mask[pixel + width]
}

/// Whether the ink lies on the sides of a box with nothing inside.
fn is_on_a_box(width: usize, kept: &[Patch], all: &[bool]) -> bool {
    let Some(start) = kept.first().and_then(|patch| patch.pixels.first()) else {
        return false;
    };
    let pixels = || kept.iter().flat_map(|patch| &patch.pixels);
    let patch = patch_at(width, &mut all.to_vec(), *start as usize);
    let hull = patch.hull(width);
    if hull.area() < RECTANGULAR * hull.rectangle_area() {
        return false;
    }
    let margin = PEN * patch.longer() as f32;
    let [_, top, _, bottom] = patch.bounds;
    let rows: Vec<_> = (0..bottom).map(|y| hull.columns(y, margin)).collect();
    let inside: usize = rows[top..].iter().map(ExactSizeIterator::len).sum();
    let is_inside = |pixel: &&u32| {
        let (x, y) = (**pixel as usize % width, **pixel as usize / width);
        rows.get(y).is_some_and(|columns| columns.contains(&x))
    };
    let inked = pixels().filter(is_inside).count() as f32;
    inside as f32 >= INSIDE * hull.area() && inked <= INKED * pixels().count() as f32
}
