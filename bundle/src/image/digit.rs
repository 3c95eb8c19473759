//! Which patches of ink are the digit.

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

/// Clears all ink but the digit's; gives the digit's patches.
pub(super) fn keep(width: usize, mask: &mut [bool], dropped: &mut Dropped) -> Vec<Patch> {
    let patches = patches(width, mask);
    let size = |patch: &&Patch| patch.pixels.len();
    let Some(largest) = patches.iter().max_by_key(size) else {
        return Vec::new();
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
    let mut candidates = Vec::new();
    for patch in patches.iter().filter(|patch| !std::ptr::eq(*patch, main)) {
        if (patch.pixels.len() as f32) < SPECK * main.pixels.len() as f32 {
            dropped.add(Thing::Speck, 1);
        } else if patch.at_edge > 0 && main.at_edge == 0 {
            dropped.add(Thing::AtEdge, 1);
        } else if is_another(patch) {
            dropped.add(Thing::Neighbour, 1);
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
    dropped.add(Thing::Neighbour, candidates.len());
    mask.fill(false);
    for &pixel in digit.iter().flat_map(|patch| &patch.pixels) {
        mask[pixel as usize] = true;
    }
    digit.into_iter().cloned().collect()
}
