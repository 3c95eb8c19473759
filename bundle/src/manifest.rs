//! `manifest.toml`: what a bundle is, how it was trained, and the checksums of its files.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{FORMAT_VERSION, ManifestError, TensorSpec};

/// What `manifest.toml` says. Unknown keys are refused at every level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the manifest format, [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Model name: `a-z`, `0-9`, `_` and `-`.
    pub name: String,
    /// Model version, from 1.
    pub version: u32,
    /// What the model does.
    pub task: Task,
    /// Network architecture, such as `mlp`.
    pub architecture: String,
    /// Class names in the order of the output's last dimension; empty for a generator.
    #[serde(default)]
    pub labels: Vec<String>,
    /// How an input must be prepared before it meets the graph; numeric steps are in the graph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocessing: Option<Preprocessing>,
    /// What the graph takes.
    pub inputs: Vec<TensorSpec>,
    /// What the graph gives.
    pub outputs: Vec<TensorSpec>,
    /// How the model came to be.
    pub training: Training,
    /// How to judge the golden samples.
    pub golden: Golden,
    /// Every other file of the bundle; the writer fills this in.
    #[serde(default)]
    pub files: BTreeMap<String, FileDigest>,
}

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Task {
    /// Pixels to class probabilities.
    ImageClassification,
    /// Tokens to a score.
    TextClassification,
    /// Noise to pixels.
    ImageGeneration,
}

/// How an input is prepared before it meets the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Preprocessing {
    /// [`crate::image::frame_digit`]: grey, light on dark, fitted and centred as in MNIST.
    DigitFrame {
        /// Width of the frame in pixels.
        width: usize,
        /// Height of the frame in pixels.
        height: usize,
    },
    /// [`crate::text::Tokenizer::encode`], with the bundle's `tokenizer.json`.
    TokenSequence {
        /// Tokens that the network reads of a text, the last ones of a longer text.
        max_tokens: usize,
    },
}

/// How the model came to be. Whole numbers must fit TOML's 63 bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Data set, such as `MNIST`.
    pub data: String,
    /// Samples that were trained on.
    pub train_samples: u64,
    /// Passes over them.
    pub epochs: u32,
    /// Samples per step.
    pub batch_size: u32,
    /// Seed of every random choice.
    pub seed: u64,
    /// Name or text of the recipe.
    pub recipe: String,
    /// Where it ran: `cpu`, `cuda:0`.
    pub device: String,
    /// Trainable parameters.
    pub parameters: u64,
    /// Wall-clock time of the training in seconds.
    pub duration_seconds: f64,
    /// Program and version: `quintet-trainer 0.1.0`.
    pub created_by: String,
    /// Measured figures: `test_accuracy`, `test_loss`.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
}

/// How to judge the golden samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// Number of samples.
    pub samples: usize,
    /// Largest absolute difference that is still agreement, in the output's own units.
    pub tolerance: f32,
}

/// Size and checksum of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDigest {
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256, 64 lower-case hex digits.
    pub sha256: String,
}

// === impl Manifest ===

impl Manifest {
    /// Parses and validates the text of a `manifest.toml`.
    pub fn from_toml(text: &str) -> Result<Self, ManifestError> {
        /// The one key that every format shares, read first so that a newer format is told apart
        /// from a broken manifest.
        #[derive(Deserialize)]
        struct Probe {
            format_version: Option<i64>,
        }

        let parse_error = |error| ManifestError::Parse(Box::new(error));
        let probe: Probe = toml::from_str(text).map_err(parse_error)?;
        match probe.format_version {
            Some(found) if found != i64::from(FORMAT_VERSION) => {
                return Err(ManifestError::FormatVersion { found });
            }
            _ => {}
        }
        let manifest: Self = toml::from_str(text).map_err(parse_error)?;
        manifest.validate()?;
        manifest.validate_files()?;
        Ok(manifest)
    }

    /// The text of `manifest.toml`.
    pub fn to_toml(&self) -> Result<String, ManifestError> {
        toml::to_string(self).map_err(|error| ManifestError::Write(Box::new(error)))
    }
}

// === impl Task ===

impl Task {
    /// The task's name in a manifest: `image_classification`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ImageClassification => "image_classification",
            Self::TextClassification => "text_classification",
            Self::ImageGeneration => "image_generation",
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
