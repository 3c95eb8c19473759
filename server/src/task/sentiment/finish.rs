//! From a row to a score.

use quintet_bundle::{Manifest, Role, TensorSpec};

use crate::runtime::Row;
use crate::task::probabilities::Probabilities;

/// What the model says of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The probability of the second label, in `[0, 1]`.
    pub value: f32,
    /// The likelier label: 0 or 1.
    pub label: usize,
}

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

    /// An output row as a score. `None`: the row holds something that is no probability.
    pub(super) fn score(self, row: &Row) -> Option<Score> {
        let value = match self {
            Self::Score(output) => f32::from_le_bytes(row.get(output)?.as_ref().try_into().ok()?),
            Self::Probabilities(output) => *output.values(row)?.get(1)?,
        };
        (0.0..=1.0).contains(&value).then_some(Score {
            value,
            label: usize::from(value >= 0.5),
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn score(value: f32) -> Option<Score> {
        let row = std::iter::once(Bytes::copy_from_slice(&value.to_le_bytes())).collect();
        Output::Score(0).score(&row)
    }

    #[test]
    fn a_score_is_the_probability_of_the_second_label() {
        for (value, label) in [(0.0, 0), (0.499, 0), (0.5, 1), (1.0, 1)] {
            assert_eq!(score(value), Some(Score { value, label }));
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
