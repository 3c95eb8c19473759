//! `manifest.toml`: what a bundle is, where its model comes from, and the checksums of its files.

mod divergence;
mod problem;
mod provenance;
mod v1;
mod validate;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::divergence::{divergence_from_uniform, is_known};
pub use self::problem::{NoProbabilities, ProblemType};
pub use self::provenance::{Import, Provenance, Training};
use crate::digest::sha256_hex;
use crate::{ManifestError, Preprocessing, Quantization, Role, TensorSpec};

/// What `manifest.toml` says. Unknown keys are refused at every level.
///
/// One of an older version is read as what it means in the present one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the manifest format, [`crate::FORMAT_VERSION`].
    pub format_version: u32,
    /// Model name: `a-z`, `0-9`, `_` and `-`.
    pub name: String,
    /// Model version, from 1.
    pub version: u32,
    /// What the model does, such as [`crate::task::IMAGE_CLASSIFICATION`].
    pub task: String,
    /// Network architecture, such as `mlp`.
    pub architecture: String,
    /// The number of trainable parameters; 0 if unknown.
    pub parameters: u64,
    /// Program and version that wrote it: `quintet-trainer 0.1.0`.
    pub created_by: String,
    /// Class names in the order of the output's last dimension; empty for a generator.
    #[serde(default)]
    pub labels: Vec<String>,
    /// What the labels are to each other.
    #[serde(default, skip_serializing_if = "ProblemType::is_default")]
    pub problem_type: ProblemType,
    /// An input is readable if its labels' probabilities have at least this
    /// [`divergence_from_uniform`], in nats, above 0; absent where all are. Only where one label is
    /// right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_divergence: Option<f32>,
    /// How an input must be prepared before it meets the graph; numeric steps are in the graph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocessing: Option<Preprocessing>,
    /// What the large products are computed in; absent where it is float32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization: Option<Quantization>,
    /// The most rows that the graph takes in one run; absent where there is no such bound. A graph
    /// whose batch is fixed has 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_batch_size: Option<usize>,
    /// What the graph takes.
    pub inputs: Vec<TensorSpec>,
    /// What the graph gives.
    pub outputs: Vec<TensorSpec>,
    /// Where the model comes from.
    pub provenance: Provenance,
    /// Measured figures: `test_accuracy`, `test_loss`.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// How to judge the golden samples.
    pub golden: Golden,
    /// Every other file of the bundle; the writer fills this in.
    #[serde(default)]
    pub files: BTreeMap<String, FileDigest>,
}

/// How to judge the golden samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// Number of samples.
    pub samples: usize,
    /// Largest absolute difference that is still agreement, in the output's own units.
    pub tolerance: f32,
    /// Whether the inputs are random, and not samples of the model's data.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub self_made: bool,
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

impl Manifest {
    /// Parses and validates the text of a `manifest.toml` of this version or an older one.
    pub fn from_toml(text: &str) -> Result<Self, ManifestError> {
        let parse_error = |error: toml::de::Error| ManifestError(error.to_string());
        // The version is read first, so that a newer format is told apart from a broken manifest.
        let mut table: toml::Table = text.parse().map_err(parse_error)?;
        let manifest: Self = match table
            .get("format_version")
            .and_then(toml::Value::as_integer)
        {
            Some(1) => {
                v1::upgrade(&mut table)?;
                table.try_into().map_err(parse_error)?
            }
            version => {
                version.map_or(Ok(()), validate::check_format_version)?;
                // From the text, whose lines the error names.
                toml::from_str(text).map_err(parse_error)?
            }
        };
        manifest.validate()?;
        manifest.validate_files()?;
        Ok(manifest)
    }

    /// The text of `manifest.toml`.
    pub fn to_toml(&self) -> Result<String, ManifestError> {
        let error = |error| ManifestError(format!("cannot be written as TOML: {error}"));
        toml::to_string(self).map_err(error)
    }

    /// The input of this role.
    pub fn input(&self, role: Role) -> Option<&TensorSpec> {
        self.inputs.iter().find(|spec| spec.role == Some(role))
    }

    /// The output of this role.
    pub fn output(&self, role: Role) -> Option<&TensorSpec> {
        self.outputs.iter().find(|spec| spec.role == Some(role))
    }
}

impl FileDigest {
    pub(crate) fn of(content: &[u8]) -> Self {
        Self {
            bytes: content.len() as u64,
            sha256: sha256_hex(content),
        }
    }
}
