//! Runs exported models in ONNX Runtime, on the CPU, to check that they compute what libtorch does.
//!
//! Only this module of the trainer knows ONNX Runtime.

mod graph;

use std::error::Error as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::Value;
use tch::{Kind, Tensor};

pub use self::graph::{Port, Tensors};

use crate::error::Error;

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

/// The largest absolute difference of two tensors of probabilities, if it is within `tolerance`.
///
/// NaN differs from everything.
pub fn compare(expected: &Tensor, actual: &Tensor, tolerance: f32) -> Result<f32, Error> {
    if expected.size() != actual.size() {
        return Err(wrong_shape(
            &actual.size(),
            &format!("{:?}", expected.size()),
        ));
    }
    let difference = (expected - actual).abs().flatten(0, -1);
    let difference = difference.nan_to_num(f64::INFINITY, None, None);
    let (difference, index) = difference.max_dim(0, false);
    let place = format!("probability {}", index.int64_value(&[]));
    within(difference.double_value(&[]) as f32, tolerance, &place)
}

/// Gives `difference` back, which must be at most `tolerance`; `place` says where it is.
pub(crate) fn within(difference: f32, tolerance: f32, place: &str) -> Result<f32, Error> {
    if difference <= tolerance {
        return Ok(difference);
    }
    Err(Error::Parity(format!(
        "onnxruntime and libtorch differ by {difference:e} at {place}, allowed: {tolerance:e}"
    )))
}

fn wrong_shape(actual: &[i64], expected: &str) -> Error {
    Error::Parity(format!(
        "the output has the shape {actual:?}, expected {expected}"
    ))
}

fn library_error(path: &Path, error: &LoadDynamicError) -> Error {
    // The loader's own message names the file that is missing.
    let cause = match error {
        LoadDynamicError::Dlopen { error, .. } => error.source().map(ToString::to_string),
        _ => None,
    };
    let (path, cause) = (path.display(), cause.unwrap_or_else(|| error.to_string()));
    let hint = "name it with --onnxruntime or ORT_DYLIB_PATH";
    Error::Usage(format!("onnxruntime library {path}: {cause}; {hint}"))
}

impl Runtime {
    /// Loads the library `path`; models use `threads` threads each. A process has one library, so a
    /// second call gives the first one's.
    pub fn load(path: &Path, threads: usize) -> Result<Self, Error> {
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
    pub fn model(&self, bytes: &[u8]) -> Result<LoadedModel, Error> {
        let builder = Session::builder(&self.environment)?.with_intra_threads(self.threads);
        // What fails is an error here; its log would say the same in colours.
        let builder = builder
            .map_err(ort::Error::from)?
            .with_log_level(LogLevel::Fatal);
        let session = builder
            .map_err(ort::Error::from)?
            .commit_from_memory(bytes)?;
        Ok(LoadedModel { session })
    }
}

impl LoadedModel {
    /// What the graph gives for one batch of its inputs, on the CPU: float32 or uint8, a row each.
    pub fn output(&mut self, inputs: &[Tensor]) -> Result<Tensor, Error> {
        let rows = inputs.first().map_or(0, |input| input.size()[0]);
        let inputs = inputs.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        let outputs = self.session.run(&inputs[..])?;
        let output = &outputs[0];
        let (shape, values) = if let Ok((shape, values)) = output.try_extract_tensor::<f32>() {
            (shape, Tensor::from_slice(values))
        } else {
            let (shape, values) = output.try_extract_tensor::<u8>()?;
            (shape, Tensor::from_slice(values))
        };
        if shape.first() != Some(&rows) {
            return Err(wrong_shape(shape, &format!("{rows} rows")));
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
        assert!(error.to_string().contains("at probability 13, "), "{error}");
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
        let expected = "the output has the shape [1, 10], expected [2, 10]";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn an_absent_library_is_named() {
        let error = Runtime::load(Path::new("/nowhere/libonnxruntime.so"), 1).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("/nowhere/libonnxruntime.so"), "{message}");
        assert!(message.contains("ORT_DYLIB_PATH"), "{message}");
    }
}
