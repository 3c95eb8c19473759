//! Light that falls off slowly: a vignette, a lamp's light, light from a window.

use std::array;

/// Coefficients of a polynomial of the second degree in two variables.
const TERMS: usize = 6;
/// How often the pixels are weighed again.
const ROUNDS: usize = 5;
/// A pixel that is nearer to the light than this does not weigh more, by the levels' logarithm.
const NEAR: f32 = 0.02;

type Terms = [f32; TERMS];

/// The light at each pixel of a picture of logarithms of levels, as a polynomial of the second
/// degree that has the least sum of absolute differences, so that ink hardly counts (iteratively
/// reweighted least squares, Schlossmacher 1973). `None` if the pixels are too few.
pub(super) fn of(width: usize, levels: &[f32]) -> Option<Vec<f32>> {
    let height = levels.len() / width;
    let along = |at: usize, side: usize| (2.0 * at as f32 + 1.0) / side as f32 - 1.0;
    let terms = |index: usize| -> Terms {
        let (x, y) = (along(index % width, width), along(index / width, height));
        [1.0, x, y, x * x, x * y, y * y]
    };
    let at = |light: &Terms, index: usize| -> f32 {
        light.iter().zip(terms(index)).map(|(a, b)| a * b).sum()
    };
    let mut light: Option<Terms> = None;
    for _ in 0..ROUNDS {
        let mut sums = [[0.0; TERMS + 1]; TERMS];
        for (index, level) in levels.iter().enumerate() {
            let apart = light.map_or(1.0, |light| (level - at(&light, index)).abs());
            let (terms, weight) = (terms(index), 1.0 / apart.max(NEAR));
            for (row, term) in sums.iter_mut().zip(terms) {
                for (sum, other) in row.iter_mut().zip(terms.into_iter().chain([*level])) {
                    *sum += weight * term * other;
                }
            }
        }
        light = Some(solve(sums)?);
    }
    let light = light?;
    Some((0..levels.len()).map(|index| at(&light, index)).collect())
}

/// Solves linear equations, whose right sides stand last, by Gauss's elimination. `None` if they
/// have no single solution.
fn solve(mut rows: [[f32; TERMS + 1]; TERMS]) -> Option<Terms> {
    for column in 0..TERMS {
        let size = |row: &usize| rows[*row][column].abs();
        let pivot = (column..TERMS).max_by(|a, b| size(a).total_cmp(&size(b)))?;
        rows.swap(column, pivot);
        let first = rows[column];
        if first[column].abs() < f32::EPSILON * rows.len() as f32 {
            return None;
        }
        for (place, row) in rows.iter_mut().enumerate() {
            if place != column {
                let times = row[column] / first[column];
                for (number, above) in row.iter_mut().zip(first) {
                    *number -= times * above;
                }
            }
        }
    }
    Some(array::from_fn(|row| rows[row][TERMS] / rows[row][row]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ink_does_not_change_the_light() {
        let (width, height) = (32, 20);
        let falls = |index: usize| {
            let (x, y) = ((index % width) as f32 / 16.0, (index / width) as f32 / 16.0);
            5.0 - 0.3 * (x - 0.8).powi(2) - 0.2 * y * y + 0.1 * x * y
        };
        let is_inked = |index: usize| (8..13).contains(&(index % width)) && index > 5 * width;
        let levels = (0..width * height).map(|index| {
            if is_inked(index) {
                falls(index) - 1.5
            } else {
                falls(index)
            }
        });
        let levels: Vec<f32> = levels.collect();
        let light = of(width, &levels).expect("there are enough pixels");
        for (index, light) in light.into_iter().enumerate() {
            assert!((light - falls(index)).abs() < 0.05, "{index}: {light}");
        }
    }

    #[test]
    fn too_few_pixels_have_no_light() {
        assert_eq!(of(1, &[3.0; 9]), None);
        assert_eq!(of(2, &[3.0; 4]), None);
    }
}
