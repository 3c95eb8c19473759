//! Where a model comes from.

use serde::{Deserialize, Serialize};

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// Trained here.
    Trained(Training),
    /// Trained elsewhere.
    Imported(Import),
}

/// How a model was trained. Whole numbers must fit TOML's 63 bits.
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
    /// Threads that computed; another number gives other weights. Unknown in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// Name or text of the recipe.
    pub recipe: String,
    /// Where it ran: `cpu`, `cuda:0`.
    pub device: String,
    /// Wall-clock time of the training in seconds.
    pub duration_seconds: f64,
    /// What the first weights come from, if they were not random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Import>,
}

/// What a model was imported from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The repository, package or file.
    pub source: String,
    /// Its version or commit; empty where it has none.
    #[serde(default)]
    pub revision: String,
    /// The licence's SPDX expression, such as `Apache-2.0`.
    pub licence: String,
    /// SHA-256 of the file that holds the weights, 64 lower-case hex digits.
    pub sha256: String,
}
