//! How a model did on a labelled set: pure counting and its rendering.

use std::{fmt::Write as _, ops::AddAssign};

/// Counts of (true class, answered class), and of the samples' batches.
#[derive(Clone, Debug)]
pub(crate) struct Score {
    confusion: Vec<Vec<u64>>,
    /// Samples that were answered with no class, which is wrong.
    unknown: u64,
    /// Every sample's share of its batch; over all rows of a batch they sum to 1.
    batches: f64,
}

impl Score {
    pub(crate) fn new(classes: usize) -> Self {
        Self {
            confusion: vec![vec![0; classes]; classes],
            unknown: 0,
            batches: 0.0,
        }
    }

    /// Counts one sample of a batch of `batch_size` rows. `answer` is `None` where the model knew
    /// nothing in it.
    pub(crate) fn count(&mut self, truth: usize, answer: Option<usize>, batch_size: u32) {
        match answer {
            Some(answer) => self.confusion[truth][answer] += 1,
            None => self.unknown += 1,
        }
        self.batches += 1.0 / f64::from(batch_size.max(1));
    }

    pub(crate) fn samples(&self) -> u64 {
        self.unknown + self.confusion.iter().flatten().sum::<u64>()
    }

    /// Samples that were answered with no class.
    pub(crate) fn unknown(&self) -> u64 {
        self.unknown
    }

    pub(crate) fn correct(&self) -> u64 {
        let rows = self.confusion.iter().enumerate();
        rows.map(|(class, row)| row[class]).sum()
    }

    /// In [0, 1]; 0 for no samples.
    pub(crate) fn accuracy(&self) -> f64 {
        ratio(self.correct() as f64, self.samples() as f64)
    }

    /// The mean over the batches, as rows over runs give it; a mean over samples would count large
    /// batches more often.
    pub(crate) fn mean_batch_size(&self) -> f64 {
        ratio(self.samples() as f64, self.batches)
    }

    /// One row for each true class, one column for each answer.
    pub(crate) fn confusion(&self) -> &[Vec<u64>] {
        &self.confusion
    }

    /// The confusion matrix: true classes down, answers across, zeros as dots. `labels` name the
    /// classes.
    pub(crate) fn render(&self, labels: &[String]) -> String {
        let counts = self.confusion.iter().flatten().map(|it| match it {
            0 => "·".to_owned(),
            count => count.to_string(),
        });
        let counts: Vec<String> = counts.collect();
        let cells = counts.iter().chain(labels).map(|it| it.chars().count());
        let width = cells.max().unwrap_or_default().max(2) + 1;
        let mut text = "true \\ answer".to_owned();
        let mut cell = |cell: &str, width: usize| {
            write!(text, "{cell:>width$}").expect("writing to a string does not fail");
        };
        for label in labels {
            cell(label, width);
        }
        cell("\n", 0);
        for (label, row) in labels.iter().zip(counts.chunks(labels.len().max(1))) {
            cell(label, "true \\ answer".len());
            for count in row {
                cell(count, width);
            }
            cell("\n", 0);
        }
        text
    }
}

impl AddAssign for Score {
    /// Both are of the same classes.
    fn add_assign(&mut self, other: Self) {
        let counts = self.confusion.iter_mut().flatten();
        for (count, more) in counts.zip(other.confusion.iter().flatten()) {
            *count += more;
        }
        self.unknown += other.unknown;
        self.batches += other.batches;
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
        let mut score = Score::new(10);
        assert!(score.accuracy().abs() < f64::EPSILON);
        score.count(7, Some(7), 1);
        score.count(7, Some(1), 3);
        let mut other = Score::new(10);
        other.count(0, Some(0), 3);
        other.count(9, Some(9), 3);
        score += other;
        assert_eq!((score.samples(), score.correct()), (4, 3));
        assert!((score.accuracy() - 0.75).abs() < f64::EPSILON);
        let mut unknown = score.clone();
        unknown.count(9, None, 1);
        unknown += unknown.clone();
        assert_eq!((unknown.samples(), unknown.correct()), (10, 6));
        assert_eq!(unknown.unknown(), 2);
        assert!((score.mean_batch_size() - 2.0).abs() < 1e-9);
        assert_eq!(score.confusion()[7][1], 1);
    }

    #[test]
    fn the_matrix_lines_up() {
        let mut score = Score::new(10);
        for _ in 0..120 {
            score.count(3, Some(3), 1);
        }
        score.count(3, Some(5), 1);
        let labels: Vec<String> = (0..10).map(|it| it.to_string()).collect();
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
        .assert_eq(&score.render(&labels));

        let mut score = Score::new(2);
        score.count(0, Some(0), 1);
        score.count(1, Some(0), 1);
        expect![[r"
            true \ answer NEGATIVE POSITIVE
                 NEGATIVE        1        ·
                 POSITIVE        1        ·
        "]]
        .assert_eq(&score.render(&["NEGATIVE".into(), "POSITIVE".into()]));
    }
}
