//! Image classification: pictures to frames, probabilities to ranked labels.

mod finish;
mod prepare;
mod wire;

pub use finish::{RankedLabel, rank};

use quintet_bundle::image::SIDE;
use quintet_bundle::{DataType, Dim, Manifest, Preprocessing, TensorSpec};

use super::Task;
use crate::grpc::Rpc;

/// The task's name in a manifest.
pub const NAME: &str = quintet_bundle::Task::ImageClassification.as_str();

/// The task.
#[derive(Debug)]
pub struct Classify(pub Limits);

/// What one request may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Images in one request.
    pub max_images: usize,
    /// Pixels of one image.
    pub max_image_pixels: u64,
}

impl Task for Classify {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Checks that the model takes digit frames and gives one probability per label.
    fn check(&self, manifest: &Manifest) -> Result<(), String> {
        let labels = manifest.labels.len();
        let is = |specs: &[TensorSpec], datatype, shape: &[Dim]| matches!(specs, [spec] if spec.datatype == datatype && spec.shape == shape);
        let frames = ["N".into(), SIDE.into(), SIDE.into()];
        if !is(&manifest.inputs, DataType::Uint8, &frames) {
            return Err(format!(
                "its input is not one UINT8 tensor [N, {SIDE}, {SIDE}]"
            ));
        }
        let probabilities = ["N".into(), labels.into()];
        if !is(&manifest.outputs, DataType::Float32, &probabilities) {
            return Err(format!(
                "its output is not one FP32 tensor [N, {labels}], one per label"
            ));
        }
        match manifest.preprocessing {
            Some(Preprocessing::DigitFrame {
                width: SIDE,
                height: SIDE,
            }) => Ok(()),
            _ => Err(format!(
                "its pre-processing is not a digit frame of {SIDE}x{SIDE}"
            )),
        }
    }

    fn default_option(&self) -> Option<&'static str> {
        Some("default_classifier")
    }

    fn calls(&self) -> Vec<Rpc> {
        wire::calls(self.0)
    }
}
