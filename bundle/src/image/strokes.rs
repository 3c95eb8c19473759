//! Ink to one digit: specks are dropped, and strokes get a width that a frame can hold.

use super::frame::BOX;
use super::ground::Ink;

/// A patch of ink smaller than this part of the largest patch is a speck.
const SPECK: f32 = 0.05;
/// Stroke width in pixels of the frame below which strokes are thickened. In MNIST, 5 % of the
/// digits are thinner than 1.6, half are thinner than 2.5.
const THIN: f32 = 2.0;

/// One digit and the box around it, in pixels of `ink`.
pub(super) struct Digit {
    pub(super) width: usize,
    pub(super) coverage: Vec<f32>,
    /// Left and right end of the ink.
    pub(super) x: [f32; 2],
    /// Top and bottom end of the ink.
    pub(super) y: [f32; 2],
}

/// Makes one digit of the ink; `None` where nothing reaches the threshold.
pub(super) fn normalise(ink: Ink) -> Option<Digit> {
    let (width, threshold) = (ink.width, ink.threshold);
    let mut coverage = ink.coverage;
    let mut mask: Vec<bool> = coverage.iter().map(|&value| value >= threshold).collect();
    drop_specks(width, &mut mask);
    let (x, y) = bounds(width, &mask)?;

    let longer = (x[1] - x[0]).max(y[1] - y[0]);
    let scale = BOX as f32 / longer;
    let missing = (THIN - stroke_width(width, &mask) * scale).max(0.0);
    let radius = missing / 2.0 / scale;
    // The soft edge of a stroke, which is below the threshold, belongs to it; grain farther off
    // does not.
    let edge = (longer / 100.0).max(2.0);
    let reach = distance(width, &mask);
    for (value, &away) in coverage.iter_mut().zip(&reach) {
        if away > radius + edge {
            *value = 0.0;
        }
        *value =
            value.max((radius + 1.0 - away).clamp(0.0, 1.0) * f32::from(u8::from(radius > 0.0)));
    }
    let grown = |[start, end]: [f32; 2]| [start - radius, end + radius];
    Some(Digit {
        width,
        coverage,
        x: grown(x),
        y: grown(y),
    })
}

/// Clears every patch of connected pixels that is a speck beside the largest one.
fn drop_specks(width: usize, mask: &mut [bool]) {
    let mut patches: Vec<Vec<usize>> = Vec::new();
    let mut unseen = mask.to_vec();
    for start in 0..mask.len() {
        if !std::mem::take(&mut unseen[start]) {
            continue;
        }
        let mut patch = vec![start];
        let mut next = 0;
        while let Some(&pixel) = patch.get(next) {
            next += 1;
            let (x, y) = (pixel % width, pixel / width);
            for ny in y.saturating_sub(1)..=y + 1 {
                for nx in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    let neighbour = ny * width + nx;
                    if unseen.get(neighbour).copied().unwrap_or(false) {
                        unseen[neighbour] = false;
                        patch.push(neighbour);
                    }
                }
            }
        }
        patches.push(patch);
    }
    let largest = patches.iter().map(Vec::len).max().unwrap_or(0);
    let is_speck = |patch: &&Vec<usize>| (patch.len() as f32) < SPECK * largest as f32;
    for &pixel in patches.iter().filter(is_speck).flatten() {
        mask[pixel] = false;
    }
}

/// Horizontal and vertical ends of the mask, in pixel edges; `None` where it is empty.
fn bounds(width: usize, mask: &[bool]) -> Option<([f32; 2], [f32; 2])> {
    let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
    for pixel in (0..mask.len()).filter(|&pixel| mask[pixel]) {
        let (x, y) = (pixel % width, pixel / width);
        (left, right) = (left.min(x), right.max(x + 1));
        (top, bottom) = (top.min(y), bottom.max(y + 1));
    }
    (right > 0).then_some(([left as f32, right as f32], [top as f32, bottom as f32]))
}

/// Mean width of the strokes in pixels: a line of length `l` and width `w` has the area `l w` and
/// the outline `2 l`.
fn stroke_width(width: usize, mask: &[bool]) -> f32 {
    let inked = |pixel: usize| mask.get(pixel).copied().unwrap_or(false);
    let (mut area, mut outline) = (0_u32, 0_u32);
    for pixel in (0..mask.len()).filter(|&pixel| mask[pixel]) {
        let x = pixel % width;
        let sides = [
            x > 0 && inked(pixel - 1),
            x + 1 < width && inked(pixel + 1),
            pixel >= width && inked(pixel - width),
            inked(pixel + width),
        ];
        area += 1;
        outline += sides.iter().filter(|&&inside| !inside).count() as u32;
    }
    // Counting pixel sides makes a line in a random direction longer by 4/π.
    2.0 * area as f32 / (outline as f32 * std::f32::consts::FRAC_PI_4)
}

/// Distance of every pixel to the mask, in pixels, by two chamfer passes (Borgefors 1986).
fn distance(width: usize, mask: &[bool]) -> Vec<f32> {
    let away = mask
        .iter()
        .map(|&inside| if inside { 0.0 } else { f32::MAX });
    let mut away: Vec<f32> = away.collect();
    for _ in 0..2 {
        relax(width, &mut away);
        // The second pass runs backwards, and turns the picture round again.
        away.reverse();
    }
    away
}

/// Brings each pixel's distance down to what its neighbours above and on the left allow.
fn relax(width: usize, away: &mut [f32]) {
    const STRAIGHT: f32 = 0.955_09;
    const DIAGONAL: f32 = 1.369_30;
    let mut above = vec![f32::MAX; width];
    for row in away.chunks_exact_mut(width) {
        let mut left = f32::MAX;
        for x in 0..width {
            let corners = above[x.saturating_sub(1)].min(above[(x + 1).min(width - 1)]);
            let from_above = (above[x] + STRAIGHT).min(corners + DIAGONAL);
            // Last, as the next pixel waits for it.
            left = row[x].min(from_above).min(left + STRAIGHT);
            row[x] = left;
        }
        above.copy_from_slice(row);
    }
}
