//! Strokes get a width that a frame can hold.

use super::frame::BOX;
use super::ink::Ink;

/// Stroke width in pixels of the frame below which strokes are thickened. In MNIST, 5 % of the
/// digits are thinner than 1.6, half are thinner than 2.5.
const THIN: f32 = 2.0;

/// One digit with some empty pixels around it.
pub(super) struct Digit {
    pub(super) width: usize,
    pub(super) coverage: Vec<f32>,
    /// Left and right end of the ink.
    pub(super) x: [f32; 2],
    /// Top and bottom end of the ink.
    pub(super) y: [f32; 2],
}

/// Makes one digit of the ink. `None` if there is no ink.
pub(super) fn normalise(ink: &Ink) -> Option<Digit> {
    let bounds = ink.bounds()?;
    let [left, top, right, bottom] = bounds;
    let longer = (right - left).max(bottom - top) as f32;
    let scale = BOX as f32 / longer;
    let missing = (THIN - stroke_width(ink.contrast.width, &ink.mask) * scale).max(0.0);
    let radius = missing / 2.0 / scale;
    // The soft edge of a stroke, which is below the threshold, belongs to it; grain farther off
    // does not.
    let edge = (longer / 100.0).max(2.0);
    let margin = (radius + edge).ceil() as usize + 1;
    let ink = ink.around(bounds, margin);
    let (width, mask) = (ink.contrast.width, &ink.mask);
    let mut coverage = ink.coverage();
    let reach = distance(width, mask);
    for (value, &away) in coverage.iter_mut().zip(&reach) {
        if away > radius + edge {
            *value = 0.0;
        }
        *value =
            value.max((radius + 1.0 - away).clamp(0.0, 1.0) * f32::from(u8::from(radius > 0.0)));
    }
    let ends = |start: usize, end: usize| {
        let start_of_ink = margin as f32;
        let end_of_ink = (margin + end - start) as f32;
        [start_of_ink - radius, end_of_ink + radius]
    };
    Some(Digit {
        width,
        coverage,
        x: ends(left, right),
        y: ends(top, bottom),
    })
}

/// Mean width of the strokes in pixels: a line of length `l` and width `w` has the area `l w` and
/// the outline `2 l`.
pub(super) fn stroke_width(width: usize, mask: &[bool]) -> f32 {
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
