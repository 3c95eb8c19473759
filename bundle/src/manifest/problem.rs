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

impl ProblemType {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
