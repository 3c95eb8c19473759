//! Image classification: pictures to pixels, probabilities to ranked labels.

mod finish;
mod prepare;
mod wire;

pub use finish::RankedLabel;

use std::error::Error;
use std::sync::Arc;

use quintet_bundle::image::ImageInput;
pub use quintet_bundle::task::IMAGE_CLASSIFICATION as NAME;
use quintet_bundle::{Bundle, Manifest};

use super::probabilities::Probabilities;
use super::{Task, TaskState};
use crate::grpc::Rpc;
use crate::runtime::Signature;

/// The task. It keeps a [`Classifier`] of each model.
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

/// What a model takes of a picture, and what its answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Classifier {
    pub(crate) input: ImageInput,
    output: Probabilities,
}

impl Classifier {
    /// # Errors
    /// Why the model is no classifier of images.
    fn of(manifest: &Manifest) -> Result<Self, String> {
        if manifest.inputs.len() != 1 {
            return Err("it has other inputs beside its pixels".to_owned());
        }
        Ok(Self {
            input: ImageInput::of(manifest).map_err(|error| error.to_string())?,
            output: Probabilities::of(manifest)?,
        })
    }
}

impl Task for Classify {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&self, manifest: &Manifest) -> Result<(), String> {
        Classifier::of(manifest).map(drop)
    }

    fn open(
        &self,
        bundle: &Bundle,
        _: &mut Signature,
    ) -> Result<TaskState, Box<dyn Error + Send + Sync>> {
        Ok(Arc::new(Classifier::of(bundle.manifest())?))
    }

    fn default_option(&self) -> Option<&'static str> {
        Some("default_classifier")
    }

    fn calls(&self) -> Vec<Rpc> {
        wire::calls(self.0)
    }
}
