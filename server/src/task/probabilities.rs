//! What a classifier's output says of its classes.

use quintet_bundle::{DataType, Dim, Manifest, ProblemType, Role};
use smallvec::SmallVec;

use crate::runtime::Row;

/// Reads the probabilities of classes from an output row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probabilities {
    /// Its place in the row.
    output: usize,
    form: Form,
}

/// What the numbers of the output are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Probabilities that sum to 1.
    Distribution,
    /// Probabilities, each for itself.
    Independent,
    /// Logits: the softmax is not in the graph.
    Softmax,
    /// Logits: the sigmoid is not in the graph.
    Sigmoid,
}

/// Most classifiers have no more classes than this.
pub(super) type Values = SmallVec<[f32; 16]>;

impl Probabilities {
    /// The output of role `probabilities` or `logits`, one number per label.
    ///
    /// # Errors
    /// The model has no such output, or its labels have no probabilities.
    pub(super) fn of(manifest: &Manifest) -> Result<Self, String> {
        use ProblemType::{MultiLabelClassification, Regression, SingleLabelClassification};
        let (role, output) = [Role::Probabilities, Role::Logits]
            .into_iter()
            .find_map(|role| Some((role, per_label(manifest, role)?)))
            .ok_or_else(|| missing("probabilities or logits", manifest))?;
        let form = match (role, manifest.problem_type) {
            (_, Regression) => return Err("it is a regression".to_owned()),
            (Role::Logits, SingleLabelClassification) => Form::Softmax,
            (Role::Logits, MultiLabelClassification) => Form::Sigmoid,
            (_, SingleLabelClassification) => Form::Distribution,
            (_, MultiLabelClassification) => Form::Independent,
        };
        Ok(Self { output, form })
    }

    /// Whether the output holds logits.
    pub(super) fn are_logits(self) -> bool {
        matches!(self.form, Form::Softmax | Form::Sigmoid)
    }

    /// The logit of each class. `None`: the output holds probabilities, or one is no finite number.
    pub(super) fn logits(self, row: &Row) -> Option<Values> {
        finite(row, self.output).filter(|_| self.are_logits())
    }

    /// The probability of each class. `None`: a logit is no finite number, or a probability is not
    /// from 0 to 1, or they do not sum to 1 where they must.
    pub(super) fn values(self, row: &Row) -> Option<Values> {
        let mut values = finite(row, self.output)?;
        match self.form {
            Form::Distribution => {
                let problem = ProblemType::SingleLabelClassification;
                return problem.check_probabilities(&values).ok().map(|()| values);
            }
            Form::Independent => {
                let problem = ProblemType::MultiLabelClassification;
                return problem.check_probabilities(&values).ok().map(|()| values);
            }
            Form::Softmax => {
                let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                for value in &mut values {
                    *value = (*value - largest).exp();
                }
                let sum: f32 = values.iter().sum();
                values.iter_mut().for_each(|value| *value /= sum);
            }
            Form::Sigmoid => {
                for value in &mut values {
                    *value = 1.0 / (1.0 + (-*value).exp());
                }
            }
        }
        Some(values)
    }
}

/// The place of the output of role `logits`, one number per label.
///
/// # Errors
/// The model has no such output.
pub(super) fn logits(manifest: &Manifest) -> Result<usize, String> {
    per_label(manifest, Role::Logits).ok_or_else(|| missing("logits", manifest))
}

/// The numbers of an output. `None`: one is not finite.
pub(super) fn finite(row: &Row, output: usize) -> Option<Values> {
    let (numbers, _) = row.get(output)?.as_chunks();
    let values: Values = numbers.iter().map(|it| f32::from_le_bytes(*it)).collect();
    values.iter().all(|it| it.is_finite()).then_some(values)
}

/// The `top_k` most probable classes and their probabilities, the most probable first. `top_k` 0
/// means 1; more than there are gives all.
pub(super) fn rank(probabilities: Values, top_k: usize) -> Vec<(usize, f32)> {
    let mut ranked: Vec<_> = probabilities.into_iter().enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.truncate(top_k.max(1));
    ranked
}

fn per_label(manifest: &Manifest, role: Role) -> Option<usize> {
    let row = [Dim::from(manifest.labels.len())];
    let mut outputs = manifest.outputs.iter();
    outputs.position(|spec| {
        spec.role == Some(role) && spec.datatype == DataType::Float32 && spec.shape[1..] == row
    })
}

fn missing(roles: &str, manifest: &Manifest) -> String {
    let labels = manifest.labels.len();
    format!("no output of role {roles} is FP32 [N, {labels}], one per label")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(form: Form, numbers: &[f32]) -> Option<Values> {
        let bytes: Vec<u8> = numbers.iter().flat_map(|it| it.to_le_bytes()).collect();
        let probabilities = Probabilities { output: 0, form };
        probabilities.values(&std::iter::once(bytes.into()).collect())
    }

    #[test]
    fn logits_become_probabilities() {
        let found = values(Form::Distribution, &[0.25, 0.75]).unwrap();
        assert_eq!(found[..], [0.25, 0.75]);
        let found = values(Form::Softmax, &[1000.0, 1000.0 + 3.0_f32.ln()]).unwrap();
        assert!((found[0] - 0.25).abs() < 1e-4, "{found:?}");
        assert!((found[1] - 0.75).abs() < 1e-4, "{found:?}");
        let found = values(Form::Sigmoid, &[-1000.0, 3.0_f32.ln(), 1000.0]).unwrap();
        assert!(found[0] < 1e-6 && found[2] > 1.0 - 1e-6, "{found:?}");
        assert!((found[1] - 0.75).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn what_is_no_number_is_no_answer() {
        assert_eq!(values(Form::Distribution, &[0.5, f32::NAN]), None);
        assert_eq!(values(Form::Softmax, &[f32::INFINITY, 0.0]), None);
        assert_eq!(values(Form::Sigmoid, &[f32::INFINITY, 0.0]), None);
        assert_eq!(values(Form::Softmax, &[]).unwrap().len(), 0);
    }

    #[test]
    fn what_is_no_distribution_is_no_answer() {
        for numbers in [[-0.1, 1.1], [0.5, 0.52], [0.0, 0.0], [1.0, 1.0]] {
            assert_eq!(values(Form::Distribution, &numbers), None, "{numbers:?}");
        }
        // The rounding of float16 is allowed.
        assert!(values(Form::Distribution, &[0.333_25, 0.333_25, 0.333_25]).is_some());
        assert!(values(Form::Independent, &[1.0, 1.0]).is_some());
        assert_eq!(values(Form::Independent, &[1.0, 1.1]), None);
    }
}
