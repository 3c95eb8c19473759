//! Paper and ink: which side is the ink, what level the paper has, and where ink begins.

use super::GrayImage;

/// Longer side of the picture that is worked on, in pixels. A digit that takes a tenth of a photo
/// still has twice the pixels of a frame.
const WORKING_SIDE: u32 = 512;
/// Grey levels that ink must stand out from the paper; faint pencil has about 40.
const MIN_CONTRAST: f32 = 16.0;
/// Ink must also stand out from the grain of the paper by this many standard deviations.
const MIN_SIGNAL: f32 = 6.0;

/// Ink on empty ground, row by row: 0 is paper, 1 is full ink.
pub(super) struct Ink {
    pub(super) width: usize,
    pub(super) coverage: Vec<f32>,
    /// Coverage from which a pixel counts as ink.
    pub(super) threshold: f32,
}

/// Separates the ink of a picture from its ground; `None` where nothing stands out.
pub(super) fn separate(image: &GrayImage) -> Option<Ink> {
    if image.width() == 0 || image.height() == 0 {
        return None;
    }
    let (width, height, mut levels) = shrink(image, ink_is_dark(image));
    let noise = subtract_paper(width, height, &mut levels);

    let threshold = otsu(&levels);
    let full = median(levels.iter().copied().filter(|level| *level > threshold))?;
    if full < MIN_CONTRAST || full < MIN_SIGNAL * noise {
        return None;
    }
    // Thin anti-aliased lines fade to less than half in places, so ink begins a little lower.
    let threshold = threshold.min(0.4 * full).max(4.0 * noise);
    let floor = 2.0 * noise;
    for level in &mut levels {
        *level = ((*level - floor) / (full - floor)).clamp(0.0, 1.0);
    }
    let threshold = (threshold - floor) / (full - floor);
    Some(Ink {
        width,
        coverage: levels,
        threshold,
    })
}

/// Whether the ink is darker than the ground: the side of the border's median level on which the
/// picture strays farther. The fourth power lets a little strong ink win over wide faint shade.
fn ink_is_dark(image: &GrayImage) -> bool {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let thickness = border_thickness(width, height);
    let (mut all, mut border) = ([0_u64; 256], [0_u64; 256]);
    for (y, row) in image.as_raw().chunks_exact(width).enumerate() {
        for &level in row {
            all[usize::from(level)] += 1;
        }
        let inner = thickness..width.saturating_sub(thickness).max(thickness);
        if y < thickness || y + thickness >= height || inner.is_empty() {
            for &level in row {
                border[usize::from(level)] += 1;
            }
        } else {
            let sides = row[..inner.start].iter().chain(&row[inner.end..]);
            sides.for_each(|&level| border[usize::from(level)] += 1);
        }
    }
    // Twice the median, counted from both ends, so that inverting the picture inverts the answer.
    let count: u64 = border.iter().sum();
    let reach = |levels: &mut dyn Iterator<Item = usize>| {
        let mut seen = 0;
        for level in levels {
            seen += border[level];
            if seen * 2 >= count {
                return level;
            }
        }
        0
    };
    let ground = reach(&mut (0..256)) + reach(&mut (0..256).rev());
    let (mut darker, mut lighter) = (0.0, 0.0);
    for (level, &count) in all.iter().enumerate() {
        let side = if 2 * level < ground {
            &mut darker
        } else {
            &mut lighter
        };
        *side += count as f64 * ((2 * level).abs_diff(ground) as f64).powi(4);
    }
    darker >= lighter
}

/// Averages whole blocks of pixels so that the longer side is at most [`WORKING_SIDE`], and turns
/// dark ink light.
fn shrink(image: &GrayImage, invert: bool) -> (usize, usize, Vec<f32>) {
    let factor = image.width().max(image.height()).div_ceil(WORKING_SIDE) as usize;
    let source_width = image.width() as usize;
    let width = source_width.div_ceil(factor);
    let height = (image.height() as usize).div_ceil(factor);
    let flip = if invert { 255 } else { 0 };

    let mut levels = Vec::with_capacity(width * height);
    let mut sums = vec![0_u64; width];
    for rows in image.as_raw().chunks(source_width * factor) {
        sums.fill(0);
        for row in rows.chunks_exact(source_width) {
            for (sum, block) in sums.iter_mut().zip(row.chunks(factor)) {
                let levels = block.iter().map(|&level| u64::from(level ^ flip));
                *sum += levels.sum::<u64>();
            }
        }
        let block_height = rows.len() / source_width;
        for (x, &sum) in sums.iter().enumerate() {
            let block_width = factor.min(source_width - x * factor);
            levels.push(sum as f32 / (block_width * block_height) as f32);
        }
    }
    (width, height, levels)
}

/// Subtracts the level of the paper, a plane through the border, so that light falling from one
/// side does not count as ink. Gives the grain of the paper as a standard deviation.
fn subtract_paper(width: usize, height: usize, levels: &mut [f32]) -> f32 {
    let thickness = border_thickness(width, height);
    let is_border = |x: usize, y: usize| {
        x < thickness || y < thickness || x + thickness >= width || y + thickness >= height
    };
    // Coordinates from -1 to 1.
    let unit = |index: usize, size: usize| {
        if size > 1 {
            2.0 * index as f64 / (size - 1) as f64 - 1.0
        } else {
            0.0
        }
    };
    let mut border = Vec::new();
    for (y, row) in levels.chunks_exact(width).enumerate() {
        for (x, &level) in row.iter().enumerate().filter(|&(x, _)| is_border(x, y)) {
            border.push([unit(x, width), unit(y, height), f64::from(level)]);
        }
    }
    let middle = median(border.iter().map(|point| point[2] as f32));
    let middle = f64::from(middle.unwrap_or(0.0));
    let peak = levels.iter().copied().fold(0.0, f32::max);
    // What strays farther is ink that touches the border.
    let stray = (0.35 * (f64::from(peak) - middle)).max(8.0);

    let mut plane = [middle, 0.0, 0.0];
    let residual = |[a, b, c]: [f64; 3], [x, y, level]: [f64; 3]| level - (a + b * x + c * y);
    for _ in 0..3 {
        let paper = border
            .iter()
            .filter(|&&point| residual(plane, point).abs() <= stray);
        plane = fit_plane(paper).unwrap_or(plane);
    }
    for (y, row) in levels.chunks_exact_mut(width).enumerate() {
        for (x, level) in row.iter_mut().enumerate() {
            let point = [unit(x, width), unit(y, height), f64::from(*level)];
            *level = residual(plane, point).max(0.0) as f32;
        }
    }
    let deviations = border.iter().map(|&point| residual(plane, point).abs());
    let deviations = deviations.filter(|&it| it <= stray).map(|it| it as f32);
    // The median absolute deviation of a normal distribution is 0.6745 standard deviations.
    let noise = median(deviations).unwrap_or(0.0) / 0.6745;
    // Rounding alone is no grain.
    if noise < 0.1 { 0.0 } else { noise }
}

/// Least squares of `level = a + b x + c y`. A slight pull of the slopes towards 0 keeps them sane
/// where the points do not determine them.
fn fit_plane<'p>(points: impl Iterator<Item = &'p [f64; 3]>) -> Option<[f64; 3]> {
    const PULL: f64 = 1e-3;
    let (mut n, mut sx, mut sy, mut sxx, mut sxy, mut syy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    let (mut sz, mut sxz, mut syz) = (0.0, 0.0, 0.0);
    for &[x, y, z] in points {
        n += 1.0;
        sx += x;
        sy += y;
        sxx += x * x;
        sxy += x * y;
        syy += y * y;
        sz += z;
        sxz += x * z;
        syz += y * z;
    }
    if n == 0.0 {
        return None;
    }
    // Centred on the means, two slopes remain.
    let (mx, my, mz) = (sx / n, sy / n, sz / n);
    let (cxx, cyy) = (sxx - n * mx * mx + PULL * n, syy - n * my * my + PULL * n);
    let cxy = sxy - n * mx * my;
    let (cxz, cyz) = (sxz - n * mx * mz, syz - n * my * mz);
    let determinant = cxx * cyy - cxy * cxy;
    let b = (cxz * cyy - cyz * cxy) / determinant;
    let c = (cyz * cxx - cxz * cxy) / determinant;
    Some([mz - b * mx - c * my, b, c])
}

/// Otsu's threshold (IEEE Trans. SMC 9(1), 1979): it splits the levels into two classes that are
/// as far apart as can be. Where several levels do so equally well, their middle.
fn otsu(levels: &[f32]) -> f32 {
    let mut histogram = [0_u64; 256];
    for &level in levels {
        histogram[level.clamp(0.0, 255.0) as usize] += 1;
    }
    let total = levels.len() as u64;
    let weighted = (0..).zip(&histogram).map(|(level, count)| level * count);
    let sum: u64 = weighted.sum();
    let (mut below, mut below_sum) = (0, 0);
    let (mut best, mut first, mut last) = (0.0, 0_u8, 0_u8);
    for (level, &count) in (0_u8..=255).zip(&histogram) {
        below += count;
        below_sum += u64::from(level) * count;
        if below == 0 || below == total {
            continue;
        }
        let above = total - below;
        let apart = below_sum as f64 / below as f64 - (sum - below_sum) as f64 / above as f64;
        let between = below as f64 * above as f64 * apart * apart;
        if between > best {
            (best, first, last) = (between, level, level);
        } else if count == 0 && level == last + 1 {
            // An empty bin splits the levels just as the one before it.
            last = level;
        }
    }
    // A level belongs to the lower class up to the end of its bin.
    f32::midpoint(f32::from(first), f32::from(last)) + 1.0
}

/// Width of the ring that is taken for paper, in pixels.
fn border_thickness(width: usize, height: usize) -> usize {
    (width.min(height) / 40).max(1)
}

/// The median; `None` of nothing.
fn median(values: impl Iterator<Item = f32>) -> Option<f32> {
    let mut values: Vec<f32> = values.collect();
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, f32::total_cmp).1)
}
