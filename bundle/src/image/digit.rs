//! Which patches of ink are the digit.

use super::card::{LEAST_FILLED, MOST_AROUND};
use super::findings::{Dropped, Thing};
use super::patches::{Patch, patches};

/// A patch smaller than this part of the digit's main patch is a speck.
const SPECK: f32 = 0.05;
/// A patch whose box is farther from all of the digit's than this part of the main patch's longer
/// side is another thing.
const FAR: f32 = 0.35;
/// A patch beside the main one that has this part of its height is another digit, unless it is
/// nearer than that part of the longer side.
const BESIDE: (f32, f32) = (0.6, 0.05);
/// A patch inside the picture is the digit, rather than a larger one that the edge cuts, if it has
/// this part of the larger one's length and that part of its pixels.
const INSIDE: (f32, f32) = (0.25, 0.1);
/// A side of a box is within this part of its length from that of the rectangle around the box,
/// with that part of its pixels.
const SIDE: (f32, f32) = (0.06, 0.97);
/// A line is about level: as many times longer than thick, rising by less than that part of its
/// length, and filling that part of its convex hull.
const LINE: (f32, f32, f32) = (8.0, 0.12, 0.8);
/// What a line is drawn under or over is at least as long as this part of it.
const UNDERLINED: f32 = 0.2;
/// A line over a digit is as many times wider, and farther off than that part of the digit's longer
/// side. Otherwise it may be the bar of a 5 or a 7.
const OVERLINE: (f32, f32) = (1.5, 0.12);

/// What ink is the digit.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The digit's patches, the main one first.
    pub(super) patches: Vec<Patch>,
    /// Its neighbours, which are cleared.
    pub(super) others: Vec<Patch>,
}

/// Clears all ink but the digit's.
pub(super) fn keep(width: usize, mask: &mut [bool], dropped: &mut Dropped) -> Kept {
    let mut patches = patches(width, mask);
    dropped.add(Thing::Line, drop_lines(width, &mut patches));
    dropped.add(Thing::Surroundings, drop_outlines(width, &mut patches));
    let size = |patch: &&Patch| patch.pixels.len();
    let Some(largest) = patches.iter().max_by_key(size) else {
        return Kept::default();
    };
    let inner = patches
        .iter()
        .filter(|patch| patch.at_edge == 0)
        .max_by_key(size);
    let main = match inner {
        Some(inner)
            if inner.longer() as f32 >= INSIDE.0 * largest.longer() as f32
                && inner.pixels.len() as f32 >= INSIDE.1 * largest.pixels.len() as f32 =>
        {
            inner
        }
        _ => largest,
    };
    let longer = main.longer() as f32;
    let is_another = |patch: &Patch| {
        let beside = patch.columns_between(main) as f32;
        patch.height() as f32 >= BESIDE.0 * main.height() as f32 && beside >= BESIDE.1 * longer
    };
    let (mut candidates, mut others) = (Vec::new(), Vec::new());
    for patch in patches.iter().filter(|patch| !std::ptr::eq(*patch, main)) {
        if (patch.pixels.len() as f32) < SPECK * main.pixels.len() as f32 {
            dropped.add(Thing::Speck, 1);
        } else if patch.at_edge > 0 && main.at_edge == 0 {
            dropped.add(Thing::AtEdge, 1);
        } else if is_another(patch) {
            others.push(patch);
        } else {
            candidates.push(patch);
        }
    }
    let mut digit = vec![main];
    let mut next = 0;
    while let Some(&part) = digit.get(next) {
        next += 1;
        let is_near = |patch: &mut &Patch| patch.gap(part) as f32 <= FAR * longer;
        digit.extend(candidates.extract_if(.., is_near));
    }
    others.extend(candidates);
    dropped.add(Thing::Neighbour, others.len());
    mask.fill(false);
    for &pixel in digit.iter().flat_map(|patch| &patch.pixels) {
        mask[pixel as usize] = true;
    }
    let cloned = |patches: Vec<&Patch>| patches.into_iter().cloned().collect();
    Kept {
        patches: cloned(digit),
        others: cloned(others),
    }
}

/// Drops the lines that lie wholly under or over something that can be a digit; says how many.
fn drop_lines(width: usize, patches: &mut Vec<Patch>) -> usize {
    let all = std::mem::take(patches).into_iter();
    let (lines, others): (Vec<_>, Vec<_>) = all.partition(|patch| is_line(width, patch));
    *patches = others;
    let is_drawn = |line: &Patch| patches.iter().any(|it| is_under_or_over(line, it));
    let (dropped, kept): (Vec<_>, Vec<_>) = lines.into_iter().partition(is_drawn);
    patches.extend(kept);
    dropped.len()
}

fn is_line(width: usize, patch: &Patch) -> bool {
    let (length, pixels) = (patch.width() as f32, patch.pixels.len() as f32);
    let thickness = pixels / length;
    length >= LINE.0 * thickness
        && patch.height() as f32 <= thickness.ceil() + LINE.1 * length
        // Pixels make steps of a line that rises.
        && pixels + length >= LINE.2 * patch.hull(width).area()
}

fn is_under_or_over(line: &Patch, other: &Patch) -> bool {
    let ([left, top, right, bottom], [start, above, end, below]) = (line.bounds, other.bounds);
    let (length, longer) = (line.width() as f32, other.longer() as f32);
    let is_over = length >= OVERLINE.0 * other.width() as f32
        && above as f32 >= bottom as f32 + OVERLINE.1 * longer;
    longer >= UNDERLINED * length && start < right && left < end && (top >= below || is_over)
}

/// Drops the circles and boxes around something that can be a digit; says how many.
fn drop_outlines(width: usize, patches: &mut Vec<Patch>) -> usize {
    let is_inside = |inner: &Patch, outer: &Patch| {
        let ([left, top, right, bottom], [start, above, end, below]) = (inner.bounds, outer.bounds);
        left > start && top > above && right < end && bottom < below
    };
    let encloses = |outline: &Patch| {
        let least = INSIDE.0 * outline.longer() as f32;
        let mut others = patches.iter().filter(|it| it.longer() as f32 >= least);
        others.any(|it| is_inside(it, outline)) && is_outline(width, outline)
    };
    let outlines: Vec<bool> = patches.iter().map(encloses).collect();
    let mut is_outline = outlines.iter();
    patches.retain(|_| is_outline.next() == Some(&false));
    outlines.into_iter().filter(|it| *it).count()
}

/// Whether a patch is the pen's outline of a circle or a box, or the sides of a box that are left
/// of a thin one in few pixels.
fn is_outline(width: usize, patch: &Patch) -> bool {
    let hull = patch.hull(width);
    let is_box = || hull.area() >= LEAST_FILLED * hull.rectangle_area();
    patch.pixels.len() as f32 <= MOST_AROUND * hull.area()
        && (hull.is_elliptic() || is_box() || is_of_sides(width, patch))
}

/// Whether a patch has hardly a pixel that is not at a side of the rectangle around it.
fn is_of_sides(width: usize, patch: &Patch) -> bool {
    let [left, top, right, bottom] = patch.bounds;
    let far = (SIDE.0 * patch.longer() as f32).ceil() as usize;
    let is_at_side = |pixel: &&u32| {
        let (x, y) = (**pixel as usize % width, **pixel as usize / width);
        x < left + far || x + far >= right || y < top + far || y + far >= bottom
    };
    let at_sides = patch.pixels.iter().filter(is_at_side).count();
    at_sides as f32 >= SIDE.1 * patch.pixels.len() as f32
}
