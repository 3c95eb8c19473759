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

use std::error::Error;
use std::sync::Arc;

use quintet_bundle::noise::NoiseSpec;
pub use quintet_bundle::task::IMAGE_GENERATION as NAME;
use quintet_bundle::{Bundle, DataType, Dim, Manifest, Role};

use super::{Task, TaskState};
use crate::grpc::Rpc;
use crate::runtime::Signature;

/// The task. It keeps a [`Generator`] of each model.
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

/// What a model takes, and the pictures that it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Generator {
    noise: NoiseSpec,
    /// In pixels.
    size: Size,
}

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    width: usize,
    height: usize,
}

impl Generator {
    /// # Errors
    /// Why the model makes no grey pictures of noise.
    fn of(manifest: &Manifest) -> Result<Self, String> {
        let noise: NoiseSpec = manifest.spec().map_err(|error| error.to_string())?;
        let takes_noise = manifest.inputs.len() == 1
            && manifest
                .input(Role::Noise)
                .is_some_and(|input| input.shape[1..] == [noise.size.into()]);
        if !takes_noise {
            return Err(format!(
                "its input is not of role noise, FP32 [N, {}]",
                noise.size
            ));
        }
        let output = match &manifest.outputs[..] {
            [output] if output.role == Some(Role::Pixels) => output,
            _ => return Err("its output is not of role pixels".to_owned()),
        };
        match (output.datatype, &output.shape[1..]) {
            (DataType::Uint8, &[Dim::Fixed(height), Dim::Fixed(width)]) => Ok(Self {
                noise,
                size: Size { width, height },
            }),
            _ => Err("its output is not UINT8 [N, height, width]".to_owned()),
        }
    }
}

impl Task for Generate {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&self, manifest: &Manifest) -> Result<(), String> {
        Generator::of(manifest).map(drop)
    }

    fn open(
        &self,
        bundle: &Bundle,
        _: &mut Signature,
    ) -> Result<TaskState, Box<dyn Error + Send + Sync>> {
        Ok(Arc::new(Generator::of(bundle.manifest())?))
    }

    fn default_option(&self) -> Option<&'static str> {
        Some("default_generator")
    }

    fn calls(&self) -> Vec<Rpc> {
        wire::calls(self.0)
    }
}
