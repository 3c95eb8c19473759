//! From rows to ranked labels.

use crate::runtime::Row;

/// One class and how probable the model holds it to be.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedLabel {
    /// Its place in the model's output.
    pub index: usize,
    /// In `[0, 1]`.
    pub probability: f32,
}

/// The `top_k` most probable classes of an output row, the most probable first. `top_k` 0 means 1;
/// more than there are gives all. `None`: the row holds something that is no number.
pub fn rank(row: &Row, top_k: usize) -> Option<Vec<RankedLabel>> {
    let probabilities = row.first()?.chunks_exact(4).map(|bytes| {
        // chunks_exact gives four bytes each.
        f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    });
    let mut ranked: Vec<_> = probabilities
        .enumerate()
        .map(|(index, probability)| RankedLabel { index, probability })
        .collect();
    if ranked.iter().any(|label| !label.probability.is_finite()) {
        return None;
    }
    ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    ranked.truncate(top_k.max(1));
    Some(ranked)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn output(probabilities: &[f32]) -> Row {
        let bytes: Vec<u8> = probabilities
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        std::iter::once(Bytes::from(bytes)).collect()
    }

    #[test]
    fn labels_are_ranked_and_cut() {
        let row = output(&[0.1, 0.7, 0.2]);
        for (top_k, expected) in [
            (0, vec![1]),
            (1, vec![1]),
            (2, vec![1, 2]),
            (3, vec![1, 2, 0]),
            (99, vec![1, 2, 0]),
        ] {
            let indices: Vec<_> = rank(&row, top_k)
                .unwrap()
                .iter()
                .map(|label| label.index)
                .collect();
            assert_eq!(indices, expected, "top_k {top_k}");
        }
    }

    #[test]
    fn what_is_no_number_is_no_answer() {
        assert_eq!(rank(&output(&[0.5, f32::NAN]), 1), None);
        assert_eq!(rank(&Row::new(), 1), None);
    }
}
