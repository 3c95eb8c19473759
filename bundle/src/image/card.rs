//! Paper inside a picture: a card on a desk, the inside of a border line, of a form's box or of a
//! circle, a disc.

use std::ops::Range;

use super::findings::{Dropped, Thing};
use super::hull::{Hull, extents};
use super::levels::{Levels, otsu, quantile};
use super::patches::patches;

/// Longer side of the picture in which a card is looked for, in pixels.
const SIDE: usize = 128;
/// Least part of the picture that a card covers.
const LEAST_AREA: f32 = 0.1;
/// What covers more of the picture than this is the picture.
const MOST_AREA: f32 = 0.985;
/// Least part of the smallest rectangle around it that a card or a box fills. A disc fills 0.785.
pub(super) const LEAST_FILLED: f32 = 0.92;
/// Most ink around the inside of a circle, in parts of it. A 0 has thicker strokes.
pub(super) const MOST_AROUND: f32 = 0.2;
/// Ink in a circle or on a disc is at least as long as this part of the side of a square of its area.
const LEAST_LONG: f32 = 0.25;
/// Ink on a disc fills less than this part of its convex hull.
const STROKES: f32 = 0.75;
/// Most of a card that things from outside may hide.
const MOST_HIDDEN: f32 = 0.04;
/// Nearer to the outline than this, pixels of the desk are the steps of a slanted edge.
const OUTLINE: f32 = 1.0;
/// Least part of the difference between the classes by which the levels change at a card's edge.
const EDGE: f32 = 0.45;
/// Least and most of a card that ink covers.
const INKED: Range<f32> = 0.003..0.4;
/// Cards within each other: a box on a card on a desk.
const MOST_NESTED: usize = 3;

/// Cuts the picture down to its innermost card; gives the place of its top left corner.
pub(super) fn cut_out(levels: &mut Levels, dropped: &mut Dropped) -> [usize; 2] {
    let mut offset = [0; 2];
    for _ in 0..MOST_NESTED {
        let (small, factor) = levels.shrunk(SIDE);
        let inside = card(&small).and_then(|hull| cut(levels, &hull, factor));
        let Some((inside, [left, top])) = inside else {
            break;
        };
        *levels = inside;
        dropped.add(Thing::Surroundings, 1);
        offset = [offset[0] + left, offset[1] + top];
    }
    offset
}

/// The outline of a card that holds ink, if there is one.
fn card(levels: &Levels) -> Option<Hull> {
    let threshold = otsu(&levels.data);
    let light = levels.data.iter().map(|&level| level >= threshold);
    let light: Vec<bool> = light.collect();
    let dark: Vec<bool> = light.iter().map(|is_light| !is_light).collect();
    let cards = [light, dark]
        .into_iter()
        .flat_map(|class| cards(levels, &class));
    cards
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, hull)| hull)
}

/// The cards of one class of pixels, with their areas.
fn cards(levels: &Levels, class: &[bool]) -> Vec<(f32, Hull)> {
    let (width, height) = (levels.width, levels.height);
    let picture = class.len() as f32;
    let others = class.iter().filter(|it| !**it).count() as f32;
    let mut seen = vec![false; class.len()];
    let mut cards = Vec::new();
    for start in 0..class.len() {
        if seen[start] || !class[start] {
            continue;
        }
        let paper = fill([start], width, |pixel| class[pixel], &mut seen);
        if (paper.len() as f32) < LEAST_AREA / 2.0 * picture {
            continue;
        }
        let rows = extents(width, 0..height, &paper);
        let hull = Hull::of(&rows);
        let area = hull.area();
        let is_straight = area >= LEAST_FILLED * hull.rectangle_area();
        let is_card = is_straight || hull.is_elliptic();
        if !is_card || !(LEAST_AREA..MOST_AREA).contains(&(area / picture)) {
            continue;
        }
        let mut is_paper = vec![false; class.len()];
        for &pixel in &paper {
            is_paper[pixel as usize] = true;
        }
        // Connected pixels leave no row out.
        let lines = rows[0].0..rows[0].0 + rows.len();
        let outside = with_outside(width, &is_paper, &lines);
        // Neither paper nor reached from outside.
        let inside: Vec<bool> = outside.iter().map(|seen| !seen).collect();
        let ink = inside.iter().filter(|inked| **inked).count() as f32;
        let around = others - (area - paper.len() as f32);
        let is_circle = around <= MOST_AROUND * area;
        if !is_straight && !holds_a_digit(width, &inside, area, is_circle) {
            continue;
        }
        let is_hidden = |pixel: &usize| outside[*pixel] && !is_paper[*pixel];
        let within = lines.flat_map(|y| {
            let columns = hull.columns(y, OUTLINE);
            y * width + columns.start..y * width + columns.end.min(width)
        });
        let hidden = within.filter(is_hidden).count() as f32;
        if hidden <= MOST_HIDDEN * area
            && INKED.contains(&(ink / area))
            && has_edge(levels, class, &is_paper, &outside)
        {
            cards.push((area, hull));
        }
    }
    cards
}

/// The paper, which lies in these rows, and all that is reached from the picture's sides without
/// crossing it.
fn with_outside(width: usize, is_paper: &[bool], rows: &Range<usize>) -> Vec<bool> {
    let height = is_paper.len() / width;
    let border = (0..height).flat_map(|y| {
        let is_whole = y == 0 || y + 1 == height || !rows.contains(&y);
        let step = if is_whole { 1 } else { (width - 1).max(1) };
        (y * width..(y + 1) * width).step_by(step)
    });
    let mut outside = is_paper.to_vec();
    let not_paper = border.filter(|&pixel| !is_paper[pixel]);
    fill(not_paper, width, |pixel| !is_paper[pixel], &mut outside);
    outside
}

/// Whether paper ends at an edge or a line, rather than where light fades: across its outline, the
/// levels change by much of the difference between the classes. `outside` holds the paper, too.
fn has_edge(levels: &Levels, class: &[bool], is_paper: &[bool], outside: &[bool]) -> bool {
    let mean = |(sum, count): (f32, f32)| sum / count.max(1.0);
    let of = |is_one: &[bool], which: bool| {
        let ones = levels.data.iter().zip(is_one).filter(|it| *it.1 == which);
        mean(ones.fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + 1.0)))
    };
    let differ = of(is_paper, true) - of(class, false);
    let mut steps = (0.0, 0.0);
    // From the paper to what is beyond, of which a line may have one pixel.
    let mut step = |[before, from, to, after]: [usize; 4]| {
        if is_paper[from] && outside[to] && !is_paper[to] {
            let [paper, near, far] = [before, to, after].map(|at| levels.data[at]);
            let beyond = (paper - near) * differ.signum();
            steps.0 += beyond.max((paper - far) * differ.signum());
            steps.1 += 1.0;
        }
    };
    for pixel in 0..levels.data.len() {
        for (along, room) in [
            (1, levels.width - pixel % levels.width),
            (levels.width, levels.height - pixel / levels.width),
        ] {
            if room > 3 {
                let ahead = [0, 1, 2, 3].map(|it| pixel + it * along);
                let [a, b, c, d] = ahead;
                step(ahead);
                step([d, c, b, a]);
            }
        }
    }
    mean(steps) >= EDGE * differ.abs()
}

/// Whether the largest patch in a circle or on a disc of this area can be a digit: it is no speck,
/// and on a disc it has strokes, unlike the inside of a 0.
fn holds_a_digit(width: usize, mask: &[bool], area: f32, is_circle: bool) -> bool {
    let patches = patches(width, mask);
    let largest = patches.iter().max_by_key(|patch| patch.pixels.len());
    largest.is_some_and(|ink| {
        let has_strokes = || (ink.pixels.len() as f32) < STROKES * ink.hull(width).area();
        ink.longer() as f32 >= LEAST_LONG * area.sqrt() && (is_circle || has_strokes())
    })
}

/// The pixels that are connected with these by their sides and satisfy a condition, but for those
/// that were seen.
fn fill(
    start: impl IntoIterator<Item = usize>,
    width: usize,
    condition: impl Fn(usize) -> bool,
    seen: &mut [bool],
) -> Vec<u32> {
    let mut pixels = Vec::new();
    for pixel in start {
        if !std::mem::replace(&mut seen[pixel], true) {
            pixels.push(pixel as u32);
        }
    }
    let (mut next, end) = (0, seen.len());
    while let Some(&pixel) = pixels.get(next) {
        next += 1;
        let pixel = pixel as usize;
        let x = pixel % width;
        let mut visit = |side: usize| {
            if !seen[side] && condition(side) {
                seen[side] = true;
                pixels.push(side as u32);
            }
        };
        if x > 0 {
            visit(pixel - 1);
        }
        if x + 1 < width {
            visit(pixel + 1);
        }
        if pixel >= width {
            visit(pixel - width);
        }
        if pixel + width < end {
            visit(pixel + width);
        }
    }
    pixels
}

/// The inside of a hull, and the place of its top left corner. The hull's coordinates count blocks of
/// pixels. What is outside gets the level of the card's middle; `None` where nothing is left.
fn cut(levels: &Levels, hull: &Hull, factor: usize) -> Option<(Levels, [usize; 2])> {
    // Blocks on the outline hold some of both.
    const MARGIN: f32 = 1.5;
    let blocks = levels.width.div_ceil(factor);
    let rows = (0..levels.height.div_ceil(factor))
        .map(|row| (row, hull.columns(row, MARGIN)))
        .filter(|(_, columns)| !columns.is_empty());
    let rows: Vec<_> = rows
        .map(|(row, it)| (row, it.start, it.end.min(blocks)))
        .collect();
    let left = rows.iter().map(|row| row.1).min()? * factor;
    let right = (rows.iter().map(|row| row.2).max()? * factor).min(levels.width);
    let top = rows.first()?.0 * factor;
    let bottom = ((rows.last()?.0 + 1) * factor).min(levels.height);
    if left >= right || top >= bottom {
        return None;
    }
    let mut inside = levels.cut([left, top, right, bottom]);
    let paper = quantile(&inside.data, 0.5)?;
    let width = inside.width;
    for (y, row) in inside.data.chunks_exact_mut(width).enumerate() {
        let place = rows.binary_search_by_key(&((top + y) / factor), |row| row.0);
        let columns = place.map_or(0..0, |place| rows[place].1 * factor..rows[place].2 * factor);
        for (x, level) in row.iter_mut().enumerate() {
            if !columns.contains(&(left + x)) {
                *level = paper;
            }
        }
    }
    Some((inside, [left, top]))
}
