//! From rows to ranked labels.

use super::Classifier;
use crate::runtime::Row;

/// One class and how probable the model holds it to be.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedLabel {
    /// Its place in the model's output.
    pub index: usize,
    /// In `[0, 1]`.
    pub probability: f32,
}

impl Classifier {
    /// The `top_k` most probable classes of an output row, the most probable first. `top_k` 0 means
    /// 1; more than there are gives all. `None`: the row holds something that is no number.
    pub(crate) fn rank(&self, row: &Row, top_k: usize) -> Option<Vec<RankedLabel>> {
        let probabilities = self.output.values(row)?;
        let labels = probabilities.iter().enumerate();
        let mut ranked: Vec<_> = labels
            .map(|(index, &probability)| RankedLabel { index, probability })
            .collect();
        ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        ranked.truncate(top_k.max(1));
        Some(ranked)
    }
}

#[cfg(test)]
mod tests {
    use quintet_bundle::Manifest;

    use super::*;

    #[test]
    fn labels_are_ranked_and_cut() {
        let manifest = include_str!("../../../../bundle/tests/data/manifest_v2.toml");
        let classifier = Classifier::of(&Manifest::from_toml(manifest).unwrap()).unwrap();
        let numbers = [0.1_f32, 0.7, 0.2];
        let bytes: Vec<u8> = numbers.iter().flat_map(|it| it.to_le_bytes()).collect();
        let row: Row = std::iter::once(bytes.into()).collect();
        for (top_k, expected) in [
            (0, vec![1]),
            (1, vec![1]),
            (2, vec![1, 2]),
            (3, vec![1, 2, 0]),
            (99, vec![1, 2, 0]),
        ] {
            let ranked = classifier.rank(&row, top_k).unwrap();
            let indices: Vec<_> = ranked.iter().map(|label| label.index).collect();
            assert_eq!(indices, expected, "top_k {top_k}");
        }
        assert_eq!(classifier.rank(&Row::default(), 1), None);
    }
}
