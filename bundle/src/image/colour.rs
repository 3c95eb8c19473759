//! Colour to the grey levels in which ink and paper differ most.

use ::image::GrayImage;

use super::grey::{self, ImageError};
use super::to_grey;

type Rgb = [f32; 3];

/// Pixels that are sampled along each side of a picture.
const SAMPLES: usize = 96;
/// Samples along a side of the tiles whose mean stands for light and paper.
const TILE: usize = 32;
/// Luma is kept unless another axis has this many times its contrast, squared.
const BETTER: f32 = 4.0;
/// Luma of BT.601.
const LUMA: Rgb = [0.299, 0.587, 0.114];
/// Least part of the box around the opaque pixels that they fill on a card.
const CARD_FILLED: f64 = 0.8;
/// Least part of a card that differs from its paper by `CARD_CONTRAST` levels.
const CARD_INKED: f64 = 0.003;
const CARD_CONTRAST: u8 = 48;

/// Grey levels of interleaved 8-bit pixels for a search for ink: [`to_grey`]'s, but for
///
/// - colours whose luma hardly differs, such as red on green: then levels along the axis on which
///   they differ most,
/// - a card with a transparent margin: then the margin looks like the card's paper.
pub(super) fn to_ink(
    (width, height): (u32, u32),
    channels: u8,
    data: &[u8],
) -> Result<GrayImage, ImageError> {
    grey::check(width, height, channels, data)?;
    let levels = match channels {
        2 => {
            let pixels: Vec<[u8; 4]> = data
                .as_chunks()
                .0
                .iter()
                .map(|&[l, a]| [l, l, l, a])
                .collect();
            on_paper(&pixels, width as usize)
        }
        3 => along_axis(data.as_chunks().0, width as usize),
        4 => on_paper(data.as_chunks().0, width as usize),
        _ => None,
    };
    match levels {
        Some(levels) => Ok(GrayImage::from_raw(width, height, levels).expect("a level a pixel")),
        None => to_grey(width, height, channels, data),
    }
}

/// Levels of a card laid on more of its paper, or of opaque colours; `None` where there is neither.
fn on_paper(pixels: &[[u8; 4]], width: usize) -> Option<Vec<u8>> {
    if pixels.iter().all(|pixel| pixel[3] == 255) {
        let rgb: Vec<[u8; 3]> = pixels.iter().map(|&[r, g, b, _]| [r, g, b]).collect();
        return along_axis(&rgb, width);
    }
    let paper = card_paper(pixels, width)?;
    let rgb = pixels.iter().map(|&[r, g, b, alpha]| {
        if alpha < 128 {
            return paper;
        }
        let over = |channel: usize, level| grey::over(paper[channel], level, alpha);
        [over(0, r), over(1, g), over(2, b)]
    });
    let rgb: Vec<[u8; 3]> = rgb.collect();
    let levels = along_axis(&rgb, width);
    Some(levels.unwrap_or_else(|| rgb.iter().map(|&rgb| grey::luma(rgb)).collect()))
}

/// The colour of the paper, if the opaque pixels are a card that holds ink, and not ink themselves.
fn card_paper(pixels: &[[u8; 4]], width: usize) -> Option<[u8; 3]> {
    let mut histograms = [[0_u64; 256]; 4];
    let (mut left, mut right, mut top, mut bottom) = (width, 0, usize::MAX, 0);
    for (index, &[r, g, b, alpha]) in pixels.iter().enumerate() {
        if alpha < 250 {
            continue;
        }
        let (x, y) = (index % width, index / width);
        (left, right, top, bottom) = (left.min(x), right.max(x + 1), top.min(y), y + 1);
        for (histogram, level) in histograms.iter_mut().zip([r, g, b, grey::luma([r, g, b])]) {
            histogram[usize::from(level)] += 1;
        }
    }
    let count: u64 = histograms[3].iter().sum();
    let area = right.checked_sub(left)? * bottom.checked_sub(top)?;
    let [r, g, b, luma] = histograms.map(|histogram| {
        let mut seen = 0;
        let is_middle = |&count_here: &u64| {
            seen += count_here;
            seen * 2 >= count
        };
        histogram.iter().position(is_middle).unwrap_or(0) as u8
    });
    let differs = |level: &usize| (*level as u8).abs_diff(luma) >= CARD_CONTRAST;
    let inked: u64 = (0..256)
        .filter(differs)
        .map(|level| histograms[3][level])
        .sum();
    let is_card =
        count as f64 >= CARD_FILLED * area as f64 && inked as f64 >= CARD_INKED * count as f64;
    is_card.then_some([r, g, b])
}

/// Levels along the axis on which neighbouring pixels differ most; `None` where luma does as well.
fn along_axis(pixels: &[[u8; 3]], width: usize) -> Option<Vec<u8>> {
    if pixels.iter().all(|&[r, g, b]| r == g && g == b) {
        return None;
    }
    let samples = sample(pixels, width);
    let strays = strays(&samples);
    let axis = principal_axis(&strays);
    let contrast = |axis: Rgb| -> f32 {
        let weighted = |stray: &Rgb| dot(axis, *stray).powi(2) * dot(*stray, *stray);
        strays.iter().map(weighted).sum()
    };
    // On the grey axis, a difference of one level in each channel counts as one level.
    let unit = axis.map(|part| part / 3.0_f32.sqrt());
    let along = contrast(unit);
    if along < BETTER * contrast(LUMA) || along == 0.0 {
        return None;
    }
    let mut places: Vec<f32> = samples
        .colours
        .iter()
        .map(|&colour| dot(unit, colour))
        .collect();
    places.sort_unstable_by(f32::total_cmp);
    let (low, middle, high) = (
        places[0],
        places[places.len() / 2],
        places[places.len() - 1],
    );
    // Paper, of which there is more, becomes the light end.
    let (sign, start) = if high - middle <= middle - low {
        (1.0, low)
    } else {
        (-1.0, high)
    };
    let scale = sign * (255.0 / (high - low).max(1.0)).min(1.0);
    let top = 255.0 - (high - low).min(255.0);
    let level = |&rgb: &[u8; 3]| {
        let place = dot(unit, rgb.map(f32::from));
        (top + (place - start) * scale).round().clamp(0.0, 255.0) as u8
    };
    Some(pixels.iter().map(level).collect())
}

/// Colours at places that are spread over the picture.
struct Samples {
    columns: usize,
    colours: Vec<Rgb>,
}

fn sample(pixels: &[[u8; 3]], width: usize) -> Samples {
    let height = pixels.len() / width;
    let (columns, rows) = (width.min(SAMPLES), height.min(SAMPLES));
    // The middle of each of as many parts.
    let place = |index: usize, count, size| (2 * index + 1) * size / (2 * count);
    let colour = |index: usize| {
        let x = place(index % columns, columns, width);
        let y = place(index / columns, rows, height);
        pixels[y * width + x].map(f32::from)
    };
    Samples {
        columns,
        colours: (0..columns * rows).map(colour).collect(),
    }
}

/// How far each sample is from the mean of its tile.
fn strays(samples: &Samples) -> Vec<Rgb> {
    let columns = samples.columns;
    let tiles = columns.div_ceil(TILE);
    let tile = |index: usize| index / columns / TILE * tiles + index % columns / TILE;
    let rows = samples.colours.len().div_ceil(columns);
    let mut sums = vec![([0.0; 3], 0.0); tiles * rows.div_ceil(TILE)];
    for (index, colour) in samples.colours.iter().enumerate() {
        let (sum, count) = &mut sums[tile(index)];
        for (sum, level) in sum.iter_mut().zip(colour) {
            *sum += level;
        }
        *count += 1.0;
    }
    let stray = |(index, colour): (usize, &Rgb)| {
        let (sum, count) = sums[tile(index)];
        [0, 1, 2].map(|channel| colour[channel] - sum[channel] / count)
    };
    samples.colours.iter().enumerate().map(stray).collect()
}

/// The direction of the largest spread, by power iteration. The square of a stray is its weight, so
/// that a little ink wins over wide faint differences.
fn principal_axis(strays: &[Rgb]) -> Rgb {
    let mut spread = [[0.0_f32; 3]; 3];
    for stray in strays {
        let weight = dot(*stray, *stray);
        for (row, a) in spread.iter_mut().zip(stray) {
            for (sum, b) in row.iter_mut().zip(stray) {
                *sum += weight * a * b;
            }
        }
    }
    // No axis of colours stands at right angles to this one by chance.
    let mut axis = [0.6, 0.57, 0.56];
    for _ in 0..24 {
        let next = spread.map(|row| dot(row, axis));
        let length = dot(next, next).sqrt();
        if length == 0.0 {
            break;
        }
        axis = next.map(|part| part / length);
    }
    axis
}

fn dot(a: Rgb, b: Rgb) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
