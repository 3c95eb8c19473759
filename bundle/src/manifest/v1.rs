//! Manifests of version 1, which knew only models that were trained here and two kinds of pre-processing.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{FileDigest, Golden, Manifest, Provenance, Training};
use crate::image::ImageSpec;
use crate::noise::NoiseSpec;
use crate::text::TextSpec;
use crate::{Dim, FORMAT_VERSION, ManifestError, Preprocessing, Role, TensorSpec, task};

/// A manifest as version 1 wrote it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ManifestV1 {
    #[serde(rename = "format_version")]
    _format_version: u32,
    name: String,
    version: u32,
    task: TaskV1,
    architecture: String,
    #[serde(default)]
    labels: Vec<String>,
    preprocessing: Option<PreprocessingV1>,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    training: TrainingV1,
    golden: Golden,
    #[serde(default)]
    files: BTreeMap<String, FileDigest>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TaskV1 {
    ImageClassification,
    TextClassification,
    ImageGeneration,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum PreprocessingV1 {
    DigitFrame { width: usize, height: usize },
    TokenSequence { max_tokens: usize },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainingV1 {
    data: String,
    train_samples: u64,
    epochs: u32,
    batch_size: u32,
    seed: u64,
    recipe: String,
    device: String,
    parameters: u64,
    duration_seconds: f64,
    created_by: String,
    #[serde(default)]
    metrics: BTreeMap<String, f64>,
}

// === impl ManifestV1 ===

impl ManifestV1 {
    /// The same in the present version.
    pub(super) fn upgrade(self) -> Result<Manifest, ManifestError> {
        let preprocessing = self.preprocessing()?;
        let training = self.training;
        Ok(Manifest {
            format_version: FORMAT_VERSION,
            name: self.name,
            version: self.version,
            task: self.task.name().to_owned(),
            architecture: self.architecture,
            parameters: training.parameters,
            created_by: training.created_by,
            labels: self.labels,
            preprocessing,
            inputs: with_roles(self.inputs),
            outputs: with_roles(self.outputs),
            metrics: training.metrics,
            provenance: Provenance::Trained(Training {
                data: training.data,
                train_samples: training.train_samples,
                epochs: training.epochs,
                batch_size: training.batch_size,
                seed: training.seed,
                threads: None,
                recipe: training.recipe,
                device: training.device,
                duration_seconds: training.duration_seconds,
            }),
            golden: self.golden,
            files: self.files,
        })
    }

    fn preprocessing(&self) -> Result<Option<Preprocessing>, ManifestError> {
        let spec = match self.preprocessing {
            Some(PreprocessingV1::DigitFrame { width, height }) => {
                let spec = ImageSpec::digit();
                if (width, height) != (spec.width, spec.height) {
                    return Err(ManifestError::field(
                        "preprocessing",
                        &format!("a digit frame of {width} x {height}"),
                        format!("{} x {}", spec.width, spec.height),
                    ));
                }
                Preprocessing::of(&spec)?
            }
            Some(PreprocessingV1::TokenSequence { max_tokens }) => {
                Preprocessing::of(&TextSpec::end_of(max_tokens))?
            }
            // A generator's noise was known by its input alone.
            None => match (self.task, self.inputs.first().map(|spec| &spec.shape[..])) {
                (TaskV1::ImageGeneration, Some(&[_, Dim::Fixed(size)])) => {
                    Preprocessing::of(&NoiseSpec { size })?
                }
                _ => return Ok(None),
            },
        };
        Ok(Some(spec))
    }
}

// === impl TaskV1 ===

impl TaskV1 {
    const fn name(self) -> &'static str {
        match self {
            Self::ImageClassification => task::IMAGE_CLASSIFICATION,
            Self::TextClassification => task::TEXT_CLASSIFICATION,
            Self::ImageGeneration => task::IMAGE_GENERATION,
        }
    }
}

/// A tensor's name was its role.
fn with_roles(mut specs: Vec<TensorSpec>) -> Vec<TensorSpec> {
    for spec in &mut specs {
        spec.role = Role::of_name(&spec.name);
    }
    specs
}
