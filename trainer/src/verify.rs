//! Runs exported models in ONNX Runtime, on the CPU, to check that they compute what libtorch does.
//!
//! This is the only file of the trainer that knows ONNX Runtime.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::session::{Session, SessionInputValue};
use ort::value::Value;
use tch::{Kind, Tensor};

/// ONNX Runtime's library, loaded.
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
    /// The model's output is not what a network gives for the same inputs.
    #[error("the output has the shape {actual:?}, expected {expected}")]
    Shape {
        /// What came.
        actual: Vec<i64>,
        /// What was expected.
        expected: String,
    },
    /// ONNX Runtime and libtorch disagree.
    #[error(
        "onnxruntime and libtorch differ by {difference:e} at probability {index}, allowed: \
         {tolerance:e}"
    )]
    Parity {
        /// The largest absolute difference of a probability.
        difference: f32,
        /// Its place in the flat output.
        index: usize,
        /// The largest difference allowed.
        tolerance: f32,
    },
    /// ONNX Runtime and libtorch draw different images.
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

/// The largest absolute difference of two tensors of probabilities, if it is within `tolerance`.
///
/// NaN differs from everything.
pub fn compare(expected: &Tensor, actual: &Tensor, tolerance: f32) -> Result<f32, VerifyError> {
    if expected.size() != actual.size() {
        return Err(VerifyError::Shape {
            actual: actual.size(),
            expected: format!("{:?}", expected.size()),
        });
    }
    let difference = (expected - actual).abs().flatten(0, -1);
    let difference = difference.nan_to_num(f64::INFINITY, None, None);
    let (difference, index) = difference.max_dim(0, false);
    let difference = difference.double_value(&[]) as f32;
    if difference <= tolerance {
        return Ok(difference);
    }
    Err(VerifyError::Parity {
        difference,
        index: index.int64_value(&[]) as usize,
        tolerance,
    })
}

fn library_error(path: &Path, error: &LoadDynamicError) -> VerifyError {
    // The loader's own message names the file that is missing.
    let cause = match error {
        LoadDynamicError::Dlopen { error, .. } => error.source().map(ToString::to_string),
        _ => None,
    };
    VerifyError::Library {
        path: path.to_owned(),
        reason: cause.unwrap_or_else(|| error.to_string()),
    }
}

// === impl Runtime ===

impl Runtime {
    /// Loads the library `path`; models use `threads` threads each. A process has one library, so a
    /// second call gives the first one's.
    pub fn load(path: &Path, threads: usize) -> Result<Self, VerifyError> {
        static LOADED: Mutex<Option<Environment>> = Mutex::new(None);
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let environment = match &*loaded {
            Some(environment) => environment.clone(),
            None => ort::init_from(path)
                .map_err(|it| library_error(path, &it))?
                .build()?,
        };
        *loaded = Some(environment.clone());
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
    /// What the graph gives for one batch of its inputs, on the CPU: float32 or uint8, a row each.
    pub fn output(&mut self, inputs: &[Tensor]) -> Result<Tensor, VerifyError> {
        let rows = inputs.first().map_or(0, |input| input.size()[0]);
        let inputs = inputs.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        let outputs = self.session.run(&inputs[..])?;
        let (shape, values) = match outputs[0].try_extract_tensor::<f32>() {
            Ok((shape, values)) => (shape, Tensor::from_slice(values)),
            Err(_) => {
                let (shape, values) = outputs[0].try_extract_tensor::<u8>()?;
                (shape, Tensor::from_slice(values))
            }
        };
        if shape.first() != Some(&rows) {
            return Err(VerifyError::Shape {
                actual: shape.to_vec(),
                expected: format!("{rows} rows"),
            });
        }
        Ok(values.reshape(&shape[..]))
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

    fn zeros_but(index: i64, value: f64) -> Tensor {
        let tensor = Tensor::zeros([2, 10], (Kind::Float, tch::Device::Cpu));
        let _ = tensor.flatten(0, -1).narrow(0, index, 1).fill_(value);
        tensor
    }

    #[test]
    fn differences_are_measured_and_placed() {
        let (zeros, other) = (zeros_but(0, 0.0), zeros_but(13, -0.5));
        assert!((compare(&zeros, &other, 0.5).unwrap() - 0.5).abs() < f32::EPSILON);
        let error = compare(&zeros, &other, 0.4).unwrap_err();
        assert!(
            matches!(error, VerifyError::Parity { index: 13, .. }),
            "{error}"
        );
    }

    #[test]
    fn not_a_number_never_agrees() {
        let broken = zeros_but(2, f64::NAN);
        assert!(compare(&zeros_but(0, 0.0), &broken, 1.0).is_err());
        assert!(compare(&broken, &broken, 1.0).is_err());
    }

    #[test]
    fn missing_rows_are_an_error() {
        let zeros = zeros_but(0, 0.0);
        let error = compare(&zeros, &zeros.narrow(0, 0, 1), 1.0).unwrap_err();
        assert!(matches!(error, VerifyError::Shape { .. }), "{error}");
    }

    #[test]
    fn an_absent_library_is_named() {
        let error = Runtime::load(Path::new("/nowhere/libonnxruntime.so"), 1).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("/nowhere/libonnxruntime.so"), "{message}");
        assert!(message.contains("ORT_DYLIB_PATH"), "{message}");
    }
}
