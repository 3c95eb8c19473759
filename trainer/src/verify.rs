//! Runs exported models in ONNX Runtime, on the CPU, to see that they do what libtorch does.
//!
//! This is the only place of the trainer that knows ONNX Runtime.

use std::error::Error;
use std::path::{Path, PathBuf};

use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::session::Session;
use ort::value::TensorRef;

use crate::evaluate::CLASSES;
use crate::export::{INPUT, OUTPUT, SIDE};

const PIXELS: usize = SIDE * SIDE;
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
    /// The model's output is not probabilities for each image.
    #[error("output {OUTPUT} is float32 {actual:?}, expected [{images}, {CLASSES}]")]
    Shape {
        /// What came.
        actual: Vec<i64>,
        /// How many images were given.
        images: usize,
    },
    /// ONNX Runtime and libtorch disagree.
    #[error(
        "onnxruntime and libtorch differ by {difference:e} at image {image}, allowed: {tolerance:e}"
    )]
    Parity {
        /// The largest absolute difference of a probability.
        difference: f32,
        /// The image with that difference.
        image: usize,
        /// The largest difference allowed.
        tolerance: f32,
    },
}

/// The largest absolute difference of two lists of probabilities, if it is within `tolerance`.
///
/// A probability that is not a number differs from everything.
pub fn compare(expected: &[f32], actual: &[f32], tolerance: f32) -> Result<f32, VerifyError> {
    let (images, rows) = (expected.len() / CLASSES, actual.len() / CLASSES);
    if images != rows {
        return Err(VerifyError::Shape {
            actual: vec![rows as i64, CLASSES as i64],
            images,
        });
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
            worst = (index / CLASSES, difference);
        }
    }
    let (image, difference) = worst;
    if difference <= tolerance {
        Ok(difference)
    } else {
        Err(VerifyError::Parity {
            difference,
            image,
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
    /// Probabilities float32 `[n, 10]`, row after row, of images uint8 `[n, 28, 28]`.
    pub fn probabilities(&mut self, pixels: &[u8]) -> Result<Vec<f32>, VerifyError> {
        let mut all = Vec::with_capacity(pixels.len() / PIXELS * CLASSES);
        for batch in pixels.chunks(BATCH * PIXELS) {
            let images = batch.len() / PIXELS;
            let input = TensorRef::from_array_view(([images, SIDE, SIDE], batch))?;
            let outputs = self.session.run(ort::inputs![INPUT => input])?;
            let (shape, values) = outputs[OUTPUT].try_extract_tensor::<f32>()?;
            if **shape != [images as i64, CLASSES as i64] {
                return Err(VerifyError::Shape {
                    actual: shape.to_vec(),
                    images,
                });
            }
            all.extend_from_slice(values);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_measured_and_placed() {
        let zeros = [0.0; 2 * CLASSES];
        let mut other = zeros;
        other[CLASSES + 3] = -0.5;
        assert!((compare(&zeros, &other, 0.5).unwrap() - 0.5).abs() < f32::EPSILON);
        let error = compare(&zeros, &other, 0.4).unwrap_err();
        assert!(
            matches!(error, VerifyError::Parity { image: 1, .. }),
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
            Err(VerifyError::Shape { images: 2, .. })
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
