//! From a row to a score.

use quintet_bundle::{Manifest, Role, TensorSpec};

use crate::runtime::Row;
use crate::task::probabilities::Probabilities;

/// Where a model's output row says what it holds a text to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// The output of role `score` is the probability of the second label.
    Score(usize),
    /// Each label has its own.
    Probabilities(Probabilities),
}

impl Output {
    /// # Errors
    /// Why the model does not tell the probability of the second of two labels.
    pub(super) fn of(manifest: &Manifest) -> Result<Self, String> {
        let labels = manifest.labels.len();
        if labels != 2 {
            return Err(format!(
                "it has {labels} labels; 2 are needed, the negative one first"
            ));
        }
        let score = |spec: &TensorSpec| spec.role == Some(Role::Score);
        match manifest.outputs.iter().position(score) {
            Some(output) => Ok(Self::Score(output)),
            None => Probabilities::of(manifest).map(Self::Probabilities),
        }
    }

    /// The probability of the second label, and which label is the likelier. `None`: the row holds
    /// something that is no probability.
    pub(super) fn score(self, row: &Row) -> Option<(f32, usize)> {
        let value = match self {
            Self::Score(output) => f32::from_le_bytes(row.get(output)?.as_ref().try_into().ok()?),
            Self::Probabilities(output) => *output.values(row)?.get(1)?,
        };
        let is_probability = (0.0..=1.0).contains(&value);
        is_probability.then_some((value, usize::from(value >= 0.5)))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn score(value: f32) -> Option<(f32, usize)> {
        let row = std::iter::once(Bytes::copy_from_slice(&value.to_le_bytes())).collect();
        Output::Score(0).score(&row)
    }

    #[test]
    fn a_score_is_the_probability_of_the_second_label() {
        for (value, label) in [(0.0, 0), (0.499, 0), (0.5, 1), (1.0, 1)] {
            assert_eq!(score(value), Some((value, label)));
        }
    }

    #[test]
    fn what_is_no_probability_is_no_answer() {
        for value in [f32::NAN, f32::INFINITY, -0.1, 1.1] {
            assert_eq!(score(value), None, "{value}");
        }
        assert_eq!(Output::Score(0).score(&Row::default()), None);
    }
}
