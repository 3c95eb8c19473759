//! How a model did on a labelled set of digits: pure counting and its rendering.

use std::{
    fmt::{self, Display},
    ops::AddAssign,
};

/// The digits 0 to 9.
const CLASSES: usize = 10;

/// Counts of (true digit, answered digit), and of the batches that the images rode in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Score {
    confusion: [[u64; CLASSES]; CLASSES],
    /// Every image's share of its batch; over all rows of a batch they sum to 1.
    batches: f64,
}

// === impl Score ===

impl Score {
    /// Counts one image that rode in a batch of `batch_size` rows. The digits are below 10.
    pub(crate) fn count(&mut self, truth: u8, answer: u8, batch_size: u32) {
        self.confusion[usize::from(truth)][usize::from(answer)] += 1;
        self.batches += 1.0 / f64::from(batch_size.max(1));
    }

    pub(crate) fn images(&self) -> u64 {
        self.confusion.as_flattened().iter().sum()
    }

    pub(crate) fn correct(&self) -> u64 {
        (0..CLASSES).map(|digit| self.confusion[digit][digit]).sum()
    }

    /// In [0, 1]; 0 for no images.
    pub(crate) fn accuracy(&self) -> f64 {
        ratio(self.correct() as f64, self.images() as f64)
    }

    /// The mean over the batches, as rows over runs give it; a mean over images would count large batches more often.
    pub(crate) fn mean_batch_size(&self) -> f64 {
        ratio(self.images() as f64, self.batches)
    }

    /// One row for each true digit, one column for each answer.
    pub(crate) fn confusion(&self) -> &[[u64; CLASSES]; CLASSES] {
        &self.confusion
    }
}

impl AddAssign for Score {
    fn add_assign(&mut self, other: Self) {
        let counts = self.confusion.as_flattened_mut();
        for (count, more) in counts.iter_mut().zip(other.confusion.as_flattened()) {
            *count += more;
        }
        self.batches += other.batches;
    }
}

impl Display for Score {
    /// The confusion matrix: true digits down, answers across, zeros as dots.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let largest = self
            .confusion
            .as_flattened()
            .iter()
            .max()
            .copied()
            .unwrap_or_default();
        let width = largest.to_string().len().max(2) + 1;
        write!(f, "true \\ answer")?;
        for answer in 0..CLASSES {
            write!(f, "{answer:>width$}")?;
        }
        writeln!(f)?;
        for (truth, row) in self.confusion.iter().enumerate() {
            write!(f, "{truth:>13}")?;
            for count in row {
                match count {
                    0 => write!(f, "{:>width$}", "·")?,
                    count => write!(f, "{count:>width$}")?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn counts_add_up() {
        let mut score = Score::default();
        assert!(score.accuracy().abs() < f64::EPSILON);
        score.count(7, 7, 1);
        score.count(7, 1, 3);
        let mut other = Score::default();
        other.count(0, 0, 3);
        other.count(9, 9, 3);
        score += other;
        assert_eq!((score.images(), score.correct()), (4, 3));
        assert!((score.accuracy() - 0.75).abs() < f64::EPSILON);
        assert!((score.mean_batch_size() - 2.0).abs() < 1e-9);
        assert_eq!(score.confusion()[7][1], 1);
    }

    #[test]
    fn the_matrix_lines_up() {
        let mut score = Score::default();
        for _ in 0..120 {
            score.count(3, 3, 1);
        }
        score.count(3, 5, 1);
        expect![[r"
            true \ answer   0   1   2   3   4   5   6   7   8   9
                        0   ·   ·   ·   ·   ·   ·   ·   ·   ·   ·
                        1   ·   ·   ·   ·   ·   ·   ·   ·   ·   ·
                        2   ·   ·   ·   ·   ·   ·   ·   ·   ·   ·
                        3   ·   ·   · 120   ·   1   ·   ·   ·   ·
                        4   ·   ·   ·   ·   ·   ·   ·   ·   ·   ·
                        5   ·   ·   ·   ·   ·   ·   ·   ·   ·   ·
                        6   ·   ·   ·   ·   ·   ·   ·   ·   ·   ·
                        7   ·   ·   ·   ·   ·   ·   ·   ·   ·   ·
                        8   ·   ·   ·   ·   ·   ·   ·   ·   ·   ·
                        9   ·   ·   ·   ·   ·   ·   ·   ·   ·   ·
        "]]
        .assert_eq(&score.to_string());
    }
}
