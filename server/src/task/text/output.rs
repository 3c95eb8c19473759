//! What a row of outputs says of a text.

use quintet_bundle::{Manifest, ProblemType, Role, TensorSpec};

use crate::runtime::Row;
use crate::task::probabilities::{Probabilities, Values, finite, logits};

/// Where a model's output row says what it holds a text to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::task) enum Output {
    /// The output of role `score` is the probability of the second of two labels.
    Score(usize),
    /// Each label has its own probability.
    Probabilities(Probabilities),
    /// Each label has a number, in the output of role `logits`.
    Regression(usize),
}

impl Output {
    /// # Errors
    /// Why the model says nothing of its labels.
    pub(super) fn of(manifest: &Manifest) -> Result<Self, String> {
        if manifest.problem_type == ProblemType::Regression {
            return Ok(Self::Regression(logits(manifest)?));
        }
        let score = |spec: &TensorSpec| spec.role == Some(Role::Score);
        let Some(output) = manifest.outputs.iter().position(score) else {
            return Ok(Self::Probabilities(Probabilities::of(manifest)?));
        };
        match manifest.labels.len() {
            2 => Ok(Self::Score(output)),
            labels => Err(format!(
                "it has {labels} labels; an output of role score needs 2"
            )),
        }
    }

    /// The probability of each label, of a regression none. `None`: the row holds something that is
    /// no probability.
    pub(in crate::task) fn probabilities(self, row: &Row) -> Option<Values> {
        match self {
            Self::Score(_) => {
                let score = self.second(row)?;
                Some(Values::from_slice(&[1.0 - score, score]))
            }
            Self::Probabilities(output) => output.values(row),
            Self::Regression(_) => Some(Values::new()),
        }
    }

    /// The probability of the second label. `None`: there is none.
    pub(in crate::task) fn second(self, row: &Row) -> Option<f32> {
        let value = match self {
            Self::Score(output) => f32::from_le_bytes(row.get(output)?.as_ref().try_into().ok()?),
            Self::Probabilities(output) => *output.values(row)?.get(1)?,
            Self::Regression(_) => return None,
        };
        (0.0..=1.0).contains(&value).then_some(value)
    }

    /// Whether the model gives a number for each label that is no probability.
    pub(in crate::task) fn has_logits(self) -> bool {
        match self {
            Self::Score(_) => false,
            Self::Probabilities(output) => output.are_logits(),
            Self::Regression(_) => true,
        }
    }

    /// What the model gives for each label. `None`: one is no finite number.
    pub(in crate::task) fn logits(self, row: &Row) -> Option<Values> {
        match self {
            Self::Score(_) => None,
            Self::Probabilities(output) => output.logits(row),
            Self::Regression(output) => finite(row, output),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn second(value: f32) -> Option<f32> {
        let row = std::iter::once(Bytes::copy_from_slice(&value.to_le_bytes())).collect();
        let both = Output::Score(0).probabilities(&row);
        assert_eq!(both.map(|it| it[1]), Output::Score(0).second(&row));
        Output::Score(0).second(&row)
    }

    #[test]
    fn a_score_is_the_probability_of_the_second_label() {
        for value in [0.0, 0.499, 0.5, 1.0] {
            assert_eq!(second(value), Some(value));
        }
    }

    #[test]
    fn what_is_no_probability_is_no_answer() {
        for value in [f32::NAN, f32::INFINITY, -0.1, 1.1] {
            assert_eq!(second(value), None, "{value}");
        }
        assert_eq!(Output::Score(0).second(&Row::default()), None);
    }

    #[test]
    fn a_regression_has_numbers_and_no_probabilities() {
        let row = std::iter::once(Bytes::copy_from_slice(&7.5_f32.to_le_bytes())).collect();
        let output = Output::Regression(0);
        assert!(output.probabilities(&row).unwrap().is_empty());
        assert_eq!(output.logits(&row).unwrap()[..], [7.5]);
        assert_eq!(output.second(&row), None);
    }
}
