//! What the labels of a classifier are to each other.

use serde::{Deserialize, Serialize};

/// What the labels of a classifier are to each other, in Hugging Face's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemType {
    /// One label is right: the softmax of the logits gives their probabilities.
    #[default]
    SingleLabelClassification,
    /// Any number of labels is right: the sigmoid of a logit gives its label's probability.
    MultiLabelClassification,
    /// A label is a number: there is no probability.
    Regression,
}

/// Why numbers, one per label, are not the probabilities of the labels.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum NoProbabilities {
    /// A number is not from 0 to 1.
    #[error("holds {0}")]
    Outside(f32),
    /// One label is right, and the sum is not 1.
    #[error("sums to {0}")]
    Sum(f32),
}

/// How far the sum of probabilities may be from 1: a softmax in float16 rounds each of them.
const SUM_TOLERANCE: f32 = 0.01;

impl ProblemType {
    /// Whether these numbers, one per label, can be the probabilities of the labels.
    ///
    /// # Errors
    /// A number is not from 0 to 1, or one label is right and they do not sum to 1.
    pub fn check_probabilities(self, row: &[f32]) -> Result<(), NoProbabilities> {
        let outside = row.iter().find(|value| !(0.0..=1.0).contains(*value));
        if let Some(value) = outside {
            return Err(NoProbabilities::Outside(*value));
        }
        let sum: f32 = row.iter().sum();
        let is_one = self != Self::SingleLabelClassification || (sum - 1.0).abs() <= SUM_TOLERANCE;
        is_one.then_some(()).ok_or(NoProbabilities::Sum(sum))
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
