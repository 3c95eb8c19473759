//! What a classifier's output says of its classes.

use quintet_bundle::{DataType, Dim, Manifest, Role, TensorSpec};
use smallvec::SmallVec;

use crate::runtime::Row;

/// Reads the probabilities of classes from an output row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probabilities {
    /// Its place in the row.
    output: usize,
    /// Whether the softmax is not in the graph.
    are_logits: bool,
}

/// How far the sum of probabilities may be from 1: a softmax in float16 rounds each of them.
const SUM_TOLERANCE: f32 = 0.01;

/// Most classifiers have no more classes than this.
type Values = SmallVec<[f32; 16]>;

impl Probabilities {
    /// The output of role `probabilities` or `logits`, one number per label.
    ///
    /// # Errors
    /// The model has no such output.
    pub(super) fn of(manifest: &Manifest) -> Result<Self, String> {
        let labels = manifest.labels.len();
        let of_role = |spec: &TensorSpec| match spec.role {
            Some(Role::Probabilities) => Some(false),
            Some(Role::Logits) => Some(true),
            _ => None,
        };
        let mut outputs = manifest.outputs.iter().enumerate();
        let found = outputs.find_map(|(output, spec)| Some((output, spec, of_role(spec)?)));
        match found {
            Some((output, spec, are_logits))
                if spec.datatype == DataType::Float32 && spec.shape[1..] == [Dim::from(labels)] =>
            {
                Ok(Self { output, are_logits })
            }
            _ => Err(format!(
                "no output of role probabilities or logits is FP32 [N, {labels}], one per label"
            )),
        }
    }

    /// The probability of each class. `None`: a logit is no finite number, or the probabilities are
    /// no distribution: numbers from 0 to 1 that sum to 1.
    pub(super) fn values(self, row: &Row) -> Option<Values> {
        let (numbers, _) = row.get(self.output)?.as_chunks();
        let mut values: Values = numbers.iter().map(|it| f32::from_le_bytes(*it)).collect();
        if !self.are_logits {
            let in_range = values.iter().all(|value| (0.0..=1.0).contains(value));
            let sum: f32 = values.iter().sum();
            return (in_range && (sum - 1.0).abs() <= SUM_TOLERANCE).then_some(values);
        }
        if values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for value in &mut values {
            *value = (*value - largest).exp();
        }
        let sum: f32 = values.iter().sum();
        values.iter_mut().for_each(|value| *value /= sum);
        Some(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(are_logits: bool, numbers: &[f32]) -> Option<Values> {
        let bytes: Vec<u8> = numbers.iter().flat_map(|it| it.to_le_bytes()).collect();
        let probabilities = Probabilities {
            output: 0,
            are_logits,
        };
        probabilities.values(&std::iter::once(bytes.into()).collect())
    }

    #[test]
    fn logits_become_probabilities() {
        assert_eq!(values(false, &[0.25, 0.75]).unwrap()[..], [0.25, 0.75]);
        let found = values(true, &[1000.0, 1000.0 + 3.0_f32.ln()]).unwrap();
        assert!((found[0] - 0.25).abs() < 1e-4, "{found:?}");
        assert!((found[1] - 0.75).abs() < 1e-4, "{found:?}");
    }

    #[test]
    fn what_is_no_number_is_no_answer() {
        assert_eq!(values(false, &[0.5, f32::NAN]), None);
        assert_eq!(values(true, &[f32::INFINITY, 0.0]), None);
        assert_eq!(values(true, &[]).unwrap().len(), 0);
    }

    #[test]
    fn what_is_no_distribution_is_no_answer() {
        for numbers in [[-0.1, 1.1], [0.5, 0.52], [0.0, 0.0], [1.0, 1.0]] {
            assert_eq!(values(false, &numbers), None, "{numbers:?}");
        }
        // The rounding of float16 is allowed.
        assert!(values(false, &[0.333_25, 0.333_25, 0.333_25]).is_some());
    }
}
