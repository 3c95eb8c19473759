//! From a row to a score.

use crate::runtime::Row;

/// What the model says of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The probability of the second label, in `[0, 1]`.
    pub value: f32,
    /// The likelier label: 0 or 1.
    pub label: usize,
}

/// The model's output row as a score. `None`: the row holds something that is no probability.
pub fn score(row: &Row) -> Option<Score> {
    let value = f32::from_le_bytes(row.first()?.as_ref().try_into().ok()?);
    (0.0..=1.0).contains(&value).then_some(Score {
        value,
        label: usize::from(value >= 0.5),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn output(value: f32) -> Row {
        std::iter::once(Bytes::copy_from_slice(&value.to_le_bytes())).collect()
    }

    #[test]
    fn a_score_is_the_probability_of_the_second_label() {
        for (value, label) in [(0.0, 0), (0.499, 0), (0.5, 1), (1.0, 1)] {
            assert_eq!(score(&output(value)), Some(Score { value, label }));
        }
    }

    #[test]
    fn what_is_no_probability_is_no_answer() {
        for value in [f32::NAN, f32::INFINITY, -0.1, 1.1] {
            assert_eq!(score(&output(value)), None, "{value}");
        }
        assert_eq!(score(&Row::new()), None);
    }
}
