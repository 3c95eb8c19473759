//! Image classification: pictures to frames, probabilities to ranked labels.

mod finish;
mod limits;
mod prepare;
mod wire;

pub use finish::{RankedLabel, rank};
pub use limits::Limits;

use quintet_bundle::image::SIDE;
use quintet_bundle::{DataType, Dim, Manifest, Preprocessing, TensorSpec};

use super::{DefaultModel, Task};
use crate::grpc::Rpc;

/// The task's name in a manifest.
pub const NAME: &str = quintet_bundle::Task::ImageClassification.as_str();

/// The task.
#[derive(Debug)]
pub struct Classify {
    /// The largest request.
    pub limits: Limits,
    /// The model for requests that name none.
    pub default_model: Option<String>,
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

    fn default_model(&self) -> Option<DefaultModel<'_>> {
        let model = self.default_model.as_deref()?;
        Some(DefaultModel {
            model,
            option: "default_classifier",
        })
    }

    fn calls(&self) -> Vec<Rpc> {
        wire::calls(self.limits)
    }
}
