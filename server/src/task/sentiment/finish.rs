//! From a row to a score.

use quintet_bundle::{Manifest, ProblemType};

use crate::runtime::Row;
use crate::task::text::Output;

/// Which one of two labels is the positive one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::task) struct Polarity {
    positive: usize,
}

impl Polarity {
    /// The positive label is the one of that name, else the second. `None`: there are not two
    /// labels of which one is right.
    pub(in crate::task) fn of(manifest: &Manifest) -> Option<Self> {
        let labels = &manifest.labels;
        let fits =
            labels.len() == 2 && manifest.problem_type == ProblemType::SingleLabelClassification;
        let named = labels
            .iter()
            .position(|it| it.eq_ignore_ascii_case("positive"));
        fits.then_some(Self {
            positive: named.unwrap_or(1),
        })
    }

    /// The probability of the positive label, and which label is the likelier. `None`: the row holds
    /// something that is no probability.
    pub(super) fn score(self, output: Output, row: &Row) -> Option<(f32, usize)> {
        let second = output.second(row)?;
        let score = if self.positive == 1 {
            second
        } else {
            1.0 - second
        };
        let likelier = if score >= 0.5 {
            self.positive
        } else {
            1 - self.positive
        };
        Some((score, likelier))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const TEXT: &str = include_str!("../../../../bundle/tests/data/manifest_text_v1.toml");

    #[test]
    fn the_positive_label_is_found_by_its_name() {
        let mut manifest = Manifest::from_toml(TEXT).unwrap();
        for (labels, expected) in [
            (
                &["NEGATIVE", "POSITIVE"][..],
                Some([(0.25, 0), (0.5, 1), (0.75, 1)]),
            ),
            (
                &["LABEL_0", "LABEL_1"],
                Some([(0.25, 0), (0.5, 1), (0.75, 1)]),
            ),
            (
                &["positive", "negative"],
                Some([(0.75, 0), (0.5, 0), (0.25, 1)]),
            ),
            (&["bad", "neutral", "good"], None),
        ] {
            manifest.labels = labels.iter().map(|it| (*it).to_owned()).collect();
            let polarity = Polarity::of(&manifest);
            let scores = polarity.map(|polarity| {
                [0.25_f32, 0.5, 0.75].map(|value| {
                    let row = std::iter::once(Bytes::copy_from_slice(&value.to_le_bytes()));
                    polarity.score(Output::Score(0), &row.collect()).unwrap()
                })
            });
            assert_eq!(scores, expected, "{labels:?}");
        }
        manifest.labels.truncate(2);
        manifest.problem_type = ProblemType::MultiLabelClassification;
        assert_eq!(Polarity::of(&manifest), None);
    }
}
