//! `golden.safetensors`: sample inputs, and the outputs that the trainer saw for them.
//!
//! The file holds the tensors `input.<name>` and `output.<name>` for every tensor of the
//! signature, the samples along the first dimension. A server that gets other outputs from the
//! same inputs must not serve.

use std::collections::BTreeMap;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::{DataType, GoldenError, Manifest, Tensor, TensorSpec};

const INPUT: &str = "input.";
const OUTPUT: &str = "output.";

/// Sample inputs and the outputs to expect, by the names of the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoldenSamples {
    /// Inputs, the samples along the first dimension.
    pub inputs: BTreeMap<String, Tensor>,
    /// Expected outputs, in the order of the inputs.
    pub outputs: BTreeMap<String, Tensor>,
}

/// How outputs differ from the expected ones.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GoldenMismatch {
    /// An expected output is not there.
    #[error("output `{name}` is missing")]
    Missing {
        /// Name of the output.
        name: String,
    },
    /// An output has another type or shape.
    #[error("output `{name}` is {found}, expected {expected}")]
    Form {
        /// Name of the output.
        name: String,
        /// Type and shape that came.
        found: String,
        /// Type and shape expected.
        expected: String,
    },
    /// An element differs by more than the tolerance, or is not a finite number.
    #[error(
        "output `{name}` differs at element {index}: got {found}, expected {expected}, \
         tolerance {tolerance}"
    )]
    Value {
        /// Name of the output.
        name: String,
        /// Index of the worst element, counted over the flat tensor.
        index: usize,
        /// The element that came.
        found: f64,
        /// The element expected.
        expected: f64,
        /// The tolerance asked for.
        tolerance: f32,
    },
}

// === impl GoldenSamples ===

impl GoldenSamples {
    /// Compares `actual` outputs with the expected ones, and gives the largest absolute
    /// difference. Outputs that are not expected are ignored.
    ///
    /// A missing output, another type or shape, a number that is not finite, and a difference
    /// above `tolerance` are mismatches.
    pub fn compare(
        &self,
        actual: &BTreeMap<String, Tensor>,
        tolerance: f32,
    ) -> Result<f32, GoldenMismatch> {
        let mut largest = 0.0_f64;
        for (name, expected) in &self.outputs {
            let Some(actual) = actual.get(name) else {
                return Err(GoldenMismatch::Missing { name: name.clone() });
            };
            if actual.datatype() != expected.datatype() || actual.shape() != expected.shape() {
                let form = |t: &Tensor| format!("{} {:?}", t.datatype(), t.shape());
                return Err(GoldenMismatch::Form {
                    name: name.clone(),
                    found: form(actual),
                    expected: form(expected),
                });
            }
            let Some(worst) = worst_element(&actual.values(), &expected.values()) else {
                continue;
            };
            if !worst.difference.is_finite() || worst.difference > f64::from(tolerance) {
                return Err(GoldenMismatch::Value {
                    name: name.clone(),
                    index: worst.index,
                    found: worst.found,
                    expected: worst.expected,
                    tolerance,
                });
            }
            largest = largest.max(worst.difference);
        }
        Ok(largest as f32)
    }

    /// Checks that the tensors are those of the manifest's signature, samples included.
    pub(crate) fn check(&self, manifest: &Manifest) -> Result<(), GoldenError> {
        let mut sizes = BTreeMap::new();
        for (prefix, specs, tensors) in [
            (INPUT, &manifest.inputs, &self.inputs),
            (OUTPUT, &manifest.outputs, &self.outputs),
        ] {
            for spec in specs {
                let tensor = tensors.get(&spec.name);
                if let Some(problem) = misfit(spec, tensor, manifest.golden.samples, &mut sizes) {
                    let name = format!("{prefix}{}", spec.name);
                    return Err(GoldenError::Tensor { name, problem });
                }
            }
            let unknown = |name: &&String| specs.iter().all(|spec| spec.name != **name);
            if let Some(name) = tensors.keys().find(unknown) {
                return Err(GoldenError::Tensor {
                    name: format!("{prefix}{name}"),
                    problem: "is not in the signature".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// The samples as the bytes of a safetensors file; the same samples give the same bytes.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, GoldenError> {
        let inputs = self
            .inputs
            .iter()
            .map(|(name, tensor)| (format!("{INPUT}{name}"), tensor));
        let outputs = self
            .outputs
            .iter()
            .map(|(name, tensor)| (format!("{OUTPUT}{name}"), tensor));
        let mut views = Vec::with_capacity(self.inputs.len() + self.outputs.len());
        for (name, tensor) in inputs.chain(outputs) {
            let shape = tensor.shape().to_vec();
            views.push((
                name,
                TensorView::new(dtype(tensor.datatype()), shape, tensor.bytes())?,
            ));
        }
        Ok(safetensors::serialize(views, None)?)
    }

    /// Reads the bytes of a safetensors file.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, GoldenError> {
        let mut samples = Self {
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
        };
        for (name, view) in SafeTensors::deserialize(bytes)?.iter() {
            let refuse = |problem: String| GoldenError::Tensor {
                name: name.to_owned(),
                problem,
            };
            let datatype = match view.dtype() {
                Dtype::U8 => DataType::Uint8,
                Dtype::I32 => DataType::Int32,
                Dtype::I64 => DataType::Int64,
                Dtype::F32 => DataType::Float32,
                other => return Err(refuse(format!("has the unsupported type {other:?}"))),
            };
            let tensor = Tensor::from_bytes(datatype, view.shape(), view.data().to_vec())
                .map_err(|error| refuse(format!("is broken: {error}")))?;
            let (side, name) = if let Some(input) = name.strip_prefix(INPUT) {
                (&mut samples.inputs, input)
            } else if let Some(output) = name.strip_prefix(OUTPUT) {
                (&mut samples.outputs, output)
            } else {
                return Err(refuse(
                    "must be named `input.<name>` or `output.<name>`".to_owned(),
                ));
            };
            side.insert(name.to_owned(), tensor);
        }
        Ok(samples)
    }
}

/// What is wrong with a tensor that should fit `spec`. Symbols keep their size in `sizes`.
fn misfit<'s>(
    spec: &'s TensorSpec,
    tensor: Option<&Tensor>,
    samples: usize,
    sizes: &mut BTreeMap<&'s str, usize>,
) -> Option<String> {
    let Some(tensor) = tensor else {
        return Some("is in the signature but missing".to_owned());
    };
    let shape = tensor.shape();
    let rows = shape.first().copied().unwrap_or(1);
    if tensor.datatype() != spec.datatype {
        let (found, expected) = (tensor.datatype(), spec.datatype);
        Some(format!("is {found}, the signature says {expected}"))
    } else if !spec.fits(shape, sizes) {
        Some(format!(
            "has shape {shape:?}, the signature says {}",
            spec.shape_text()
        ))
    } else if rows != samples {
        Some(format!("holds {rows} samples, the manifest says {samples}"))
    } else {
        None
    }
}

/// The element with the largest difference.
struct Worst {
    index: usize,
    found: f64,
    expected: f64,
    difference: f64,
}

/// Finds the worst element; a number that is not finite is infinitely wrong. `None` when empty.
fn worst_element(actual: &[f64], expected: &[f64]) -> Option<Worst> {
    let differences =
        actual
            .iter()
            .zip(expected)
            .enumerate()
            .map(|(index, (&found, &expected))| {
                let difference = (found - expected).abs();
                let difference = if difference.is_finite() {
                    difference
                } else {
                    f64::INFINITY
                };
                Worst {
                    index,
                    found,
                    expected,
                    difference,
                }
            });
    differences.max_by(|a, b| a.difference.total_cmp(&b.difference))
}

const fn dtype(datatype: DataType) -> Dtype {
    match datatype {
        DataType::Uint8 => Dtype::U8,
        DataType::Int32 => Dtype::I32,
        DataType::Int64 => Dtype::I64,
        DataType::Float32 => Dtype::F32,
    }
}

#[cfg(test)]
mod tests;
