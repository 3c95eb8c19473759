//! `golden.safetensors`: sample inputs, and the outputs that the trainer saw for them.
//!
//! The file holds the tensors `input.<name>` and `output.<name>` for every tensor of the
//! signature, the samples along the first dimension. A server that gets other outputs from the
//! same inputs must not serve.

use std::collections::BTreeMap;

use safetensors::tensor::TensorView;
use safetensors::{SafeTensorError, SafeTensors};

use crate::{DataType, Manifest, Tensor, TensorSpec};

const INPUT: &str = "input.";
const OUTPUT: &str = "output.";

/// Sample inputs and the outputs to expect, by the names of the signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoldenSamples {
    /// Inputs, the samples along the first dimension.
    pub inputs: BTreeMap<String, Tensor>,
    /// Expected outputs, in the order of the inputs.
    pub outputs: BTreeMap<String, Tensor>,
}

/// How outputs differ from the expected ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("output `{name}` {problem}")]
pub struct GoldenMismatch {
    name: String,
    problem: String,
}

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
            let difference = compare(actual.get(name), expected, tolerance).map_err(|problem| {
                GoldenMismatch {
                    name: name.clone(),
                    problem,
                }
            })?;
            largest = largest.max(difference);
        }
        Ok(largest as f32)
    }

    /// Checks that the tensors are those of the manifest's signature, samples included. The error
    /// says what is wrong.
    pub(crate) fn check(&self, manifest: &Manifest) -> Result<(), String> {
        let mut sizes = BTreeMap::new();
        for (prefix, specs, tensors) in [
            (INPUT, &manifest.inputs, &self.inputs),
            (OUTPUT, &manifest.outputs, &self.outputs),
        ] {
            for spec in specs {
                let tensor = tensors.get(&spec.name);
                if let Some(problem) = misfit(spec, tensor, manifest.golden.samples, &mut sizes) {
                    return Err(format!("tensor `{prefix}{}` {problem}", spec.name));
                }
            }
            let unknown = |name: &&String| specs.iter().all(|spec| spec.name != **name);
            if let Some(name) = tensors.keys().find(unknown) {
                return Err(format!("tensor `{prefix}{name}` is not in the signature"));
            }
        }
        Ok(())
    }

    /// The samples as the bytes of a safetensors file; the same samples give the same bytes.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, SafeTensorError> {
        let mut views = Vec::new();
        for (prefix, tensors) in [(INPUT, &self.inputs), (OUTPUT, &self.outputs)] {
            for (name, tensor) in tensors {
                let (dtype, shape) = (tensor.datatype().dtype(), tensor.shape().to_vec());
                let view = TensorView::new(dtype, shape, tensor.bytes())?;
                views.push((format!("{prefix}{name}"), view));
            }
        }
        safetensors::serialize(views, None)
    }

    /// Reads the bytes of a safetensors file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let mut samples = Self::default();
        let file = SafeTensors::deserialize(bytes)
            .map_err(|error| format!("not a safetensors file: {error}"))?;
        for (name, view) in file.iter() {
            let dtype = view.dtype();
            let datatype = DataType::ALL.iter().find(|it| it.dtype() == dtype);
            let datatype = datatype
                .ok_or_else(|| format!("tensor `{name}` has the unsupported type {dtype:?}"))?;
            let tensor = Tensor::from_bytes(*datatype, view.shape(), view.data().to_vec())
                .map_err(|error| format!("tensor `{name}` is broken: {error}"))?;
            if let Some(input) = name.strip_prefix(INPUT) {
                samples.inputs.insert(input.to_owned(), tensor);
            } else if let Some(output) = name.strip_prefix(OUTPUT) {
                samples.outputs.insert(output.to_owned(), tensor);
            } else {
                let allowed = "must be named `input.<name>` or `output.<name>`";
                return Err(format!("tensor `{name}` {allowed}"));
            }
        }
        Ok(samples)
    }
}

/// The largest difference between two outputs, or what is wrong with the `actual` one.
fn compare(actual: Option<&Tensor>, expected: &Tensor, tolerance: f32) -> Result<f64, String> {
    let actual = actual.ok_or("is missing")?;
    if (actual.datatype(), actual.shape()) != (expected.datatype(), expected.shape()) {
        return Err(format!("is {actual:?}, expected {expected:?}"));
    }
    let elements = actual.to_f64().into_iter().zip(expected.to_f64());
    let worst = elements
        .map(|(found, expected)| ((found - expected).abs(), found, expected))
        .enumerate()
        // NaN is the largest.
        .max_by(|(_, (left, ..)), (_, (right, ..))| left.total_cmp(right));
    match worst {
        Some((index, (difference, found, expected)))
            if !difference.is_finite() || difference > f64::from(tolerance) =>
        {
            Err(format!(
                "differs at element {index}: got {found}, expected {expected}, \
                 tolerance {tolerance}"
            ))
        }
        worst => Ok(worst.map_or(0.0, |(_, (difference, ..))| difference)),
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
    let (found, shape) = (tensor.datatype(), tensor.shape());
    let rows = shape.first().copied().unwrap_or(1);
    if found != spec.datatype {
        let expected = spec.datatype;
        Some(format!("is {found}, the signature says {expected}"))
    } else if !spec.fits(shape, sizes) {
        let expected = spec.shape_text();
        Some(format!(
            "has shape {shape:?}, the signature says {expected}"
        ))
    } else if rows != samples {
        Some(format!("holds {rows} samples, the manifest says {samples}"))
    } else if tensor.bytes().is_empty() {
        // It would agree with every output, and its other dimensions could be of any size.
        Some("has no elements".to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
