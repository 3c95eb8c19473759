//! Runs exported models in ONNX Runtime, on the CPU, to see that they do what libtorch does.
//!
//! This is the only place of the trainer that knows ONNX Runtime.

use std::error::Error;
use std::path::{Path, PathBuf};

use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::session::Session;
use ort::session::SessionInputValue;
use ort::value::{PrimitiveTensorElementType, Value};
use tch::{Kind, Tensor};

use crate::data::Samples;

const BATCH: usize = 500;

/// ONNX Runtime's library, loaded. A process can have one.
#[derive(Clone, Debug)]
pub struct Runtime {
    environment: Environment,
    threads: usize,
}

/// A model, loaded into ONNX Runtime.
#[derive(Debug)]
pub struct LoadedModel {
    session: Session,
}

/// Why a model cannot be verified, or is not what it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The library cannot be loaded.
    #[error("onnxruntime library {path}: {reason}; name it with --onnxruntime or ORT_DYLIB_PATH")]
    Library {
        /// The file asked for.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// ONNX Runtime refuses the model or fails in it.
    #[error("onnxruntime: {0}")]
    Runtime(#[from] ort::Error),
    /// The model's output is not probabilities for each sample.
    #[error("the output has the shape {actual:?}, expected {expected}")]
    Shape {
        /// What came.
        actual: Vec<i64>,
        /// What was expected.
        expected: String,
    },
    /// The two lists do not belong together.
    #[error("onnxruntime gives {actual} probabilities, libtorch {expected}")]
    Count {
        /// From ONNX Runtime.
        actual: usize,
        /// From libtorch.
        expected: usize,
    },
    /// ONNX Runtime and libtorch disagree.
    #[error(
        "onnxruntime and libtorch differ by {difference:e} at probability {index}, allowed: \
         {tolerance:e}"
    )]
    Parity {
        /// The largest absolute difference of a probability.
        difference: f32,
        /// Its place in the lists.
        index: usize,
        /// The largest difference allowed.
        tolerance: f32,
    },
    /// ONNX Runtime and libtorch draw other images.
    #[error(
        "onnxruntime and libtorch differ by {difference:e} at a pixel in -1..=1, allowed: \
         {tolerance:e}"
    )]
    Images {
        /// The largest absolute difference of a pixel.
        difference: f32,
        /// The largest difference allowed.
        tolerance: f32,
    },
}

/// The largest absolute difference of two lists of probabilities, if it is within `tolerance`.
///
/// A probability that is not a number differs from everything.
pub fn compare(expected: &[f32], actual: &[f32], tolerance: f32) -> Result<f32, VerifyError> {
    if expected.len() != actual.len() {
        let (actual, expected) = (actual.len(), expected.len());
        return Err(VerifyError::Count { actual, expected });
    }
    let mut worst = (0, 0.0_f32);
    for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
        let difference = (expected - actual).abs();
        let difference = if difference.is_nan() {
            f32::INFINITY
        } else {
            difference
        };
        if difference > worst.1 {
            worst = (index, difference);
        }
    }
    let (index, difference) = worst;
    if difference <= tolerance {
        Ok(difference)
    } else {
        Err(VerifyError::Parity {
            difference,
            index,
            tolerance,
        })
    }
}

// === impl Runtime ===

impl Runtime {
    /// Loads the library `path`; models use `threads` threads each.
    pub fn load(path: &Path, threads: usize) -> Result<Self, VerifyError> {
        let reason = |error: LoadDynamicError| {
            // The loader's own words name the file that is missing.
            let cause = match &error {
                LoadDynamicError::Dlopen { error, .. } => error.source().map(ToString::to_string),
                _ => None,
            };
            let reason = cause.unwrap_or_else(|| error.to_string());
            VerifyError::Library {
                path: path.to_owned(),
                reason,
            }
        };
        let environment = ort::init_from(path).map_err(reason)?.build()?;
        Ok(Self {
            environment,
            threads,
        })
    }

    /// Loads a model from the bytes of its file.
    pub fn model(&self, bytes: &[u8]) -> Result<LoadedModel, VerifyError> {
        let builder = Session::builder(&self.environment)?.with_intra_threads(self.threads);
        let session = builder
            .map_err(ort::Error::from)?
            .commit_from_memory(bytes)?;
        Ok(LoadedModel { session })
    }
}

// === impl LoadedModel ===

impl LoadedModel {
    /// Probabilities float32 `[n, C]` or `[n]`, row after row, of samples on the CPU.
    pub fn probabilities(&mut self, samples: &Samples) -> Result<Vec<f32>, VerifyError> {
        let mut all = Vec::new();
        for start in (0..samples.len()).step_by(BATCH) {
            all.extend(self.run(&samples.slice(start, BATCH).inputs)?);
        }
        Ok(all)
    }

    /// The same for one batch of the graph's inputs.
    pub fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<f32>, VerifyError> {
        self.output(inputs)
    }

    /// Pixels uint8 `[n, 28, 28]`, row after row, that a generator draws of noise `[n, 100]` on the CPU.
    pub fn pixels(&mut self, noise: &Tensor) -> Result<Vec<u8>, VerifyError> {
        self.output(std::slice::from_ref(noise))
    }

    fn output<T: PrimitiveTensorElementType + Clone>(
        &mut self,
        inputs: &[Tensor],
    ) -> Result<Vec<T>, VerifyError> {
        let rows = inputs.first().map_or(0, |input| input.size()[0]);
        let inputs = inputs.iter().map(value);
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let outputs = self.session.run(&inputs[..])?;
        let (shape, values) = outputs[0].try_extract_tensor::<T>()?;
        if shape.first() != Some(&rows) {
            return Err(VerifyError::Shape {
                actual: shape.to_vec(),
                expected: format!("{rows} rows"),
            });
        }
        Ok(values.to_vec())
    }
}

// A tensor as ONNX Runtime takes it, in the type that it has.
fn value(tensor: &Tensor) -> ort::Result<SessionInputValue<'static>> {
    let (shape, flat) = (tensor.size(), tensor.flatten(0, -1));
    let held = "the tensor has this type and is flat";
    Ok(match tensor.kind() {
        Kind::Uint8 => Value::from_array((shape, Vec::<u8>::try_from(flat).expect(held)))?.into(),
        Kind::Int => Value::from_array((shape, Vec::<i32>::try_from(flat).expect(held)))?.into(),
        Kind::Int64 => Value::from_array((shape, Vec::<i64>::try_from(flat).expect(held)))?.into(),
        _ => {
            let flat = flat.to_kind(Kind::Float);
            Value::from_array((shape, Vec::<f32>::try_from(flat).expect(held)))?.into()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::CLASSES;

    #[test]
    fn differences_are_measured_and_placed() {
        let zeros = [0.0; 2 * CLASSES];
        let mut other = zeros;
        other[CLASSES + 3] = -0.5;
        assert!((compare(&zeros, &other, 0.5).unwrap() - 0.5).abs() < f32::EPSILON);
        let error = compare(&zeros, &other, 0.4).unwrap_err();
        assert!(
            matches!(error, VerifyError::Parity { index: 13, .. }),
            "{error}"
        );
    }

    #[test]
    fn not_a_number_never_agrees() {
        let mut broken = [0.0; CLASSES];
        broken[2] = f32::NAN;
        assert!(compare(&[0.0; CLASSES], &broken, 1.0).is_err());
        assert!(compare(&broken, &broken, 1.0).is_err());
    }

    #[test]
    fn missing_rows_are_an_error() {
        assert!(matches!(
            compare(&[0.0; 2 * CLASSES], &[0.0; CLASSES], 1.0),
            Err(VerifyError::Count { expected: 20, .. })
        ));
    }

    #[test]
    fn an_absent_library_is_named() {
        let error = Runtime::load(Path::new("/nowhere/libonnxruntime.so"), 1).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("/nowhere/libonnxruntime.so"), "{message}");
        assert!(message.contains("ORT_DYLIB_PATH"), "{message}");
    }
}
