//! Images from noise: check, then draw, judge and keep until there are enough.
//!
//! ```text
//! seed, index ─ noise ─► generator ─► pixels ─► classifier ─► digit, confidence ─ filter ─►
//! picture
//! ```

mod draw;
mod finish;
mod judge;
mod plan;
mod prepare;
mod progress;
mod wire;

use quintet_bundle::image::SIDE;
use quintet_bundle::{DataType, Manifest, TensorSpec};

use super::Task;
use crate::grpc::Rpc;

/// The task's name in a manifest.
pub const NAME: &str = quintet_bundle::Task::ImageGeneration.as_str();

/// Numbers of noise that make one image.
const NOISE: usize = 100;

/// The task.
#[derive(Debug)]
pub struct Generate(pub Limits);

/// What one request may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Images in one answer.
    pub max_images: usize,
    /// Images on one stream.
    pub max_images_per_stream: usize,
    /// Candidates that may be drawn for each image asked for.
    pub max_candidates_per_image: usize,
}

impl Task for Generate {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Checks that the model takes noise and gives digit frames.
    fn check(&self, manifest: &Manifest) -> Result<(), String> {
        let input = TensorSpec::new("noise", DataType::Float32, ["N".into(), NOISE.into()]);
        if manifest.inputs != [input] {
            return Err(format!("its input is not `noise` FP32 [N, {NOISE}]"));
        }
        let shape = ["N".into(), SIDE.into(), SIDE.into()];
        if manifest.outputs != [TensorSpec::new("pixels", DataType::Uint8, shape)] {
            return Err(format!(
                "its output is not `pixels` UINT8 [N, {SIDE}, {SIDE}]"
            ));
        }
        Ok(())
    }

    fn default_option(&self) -> Option<&'static str> {
        Some("default_generator")
    }

    fn calls(&self) -> Vec<Rpc> {
        wire::calls(self.0)
    }
}
