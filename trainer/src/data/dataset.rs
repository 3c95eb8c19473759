//! What the trainer asks of a data set. A data set is added by one file that implements this.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::Path;

use quintet_bundle::text::{TOKENIZER_FILE, TokenizerError};
use quintet_bundle::{Bundle, Preprocessing, TensorSpec};
use quintet_data::DataError;
use tch::{Device, Tensor};
use thiserror::Error;

use super::Samples;
use super::imdb::CacheError;
use super::text::TokenizerSettings;
use crate::plots::PlotError;
use crate::progress::Progress;

/// A data set of labelled samples.
pub trait Dataset: fmt::Debug + Sync {
    /// Its name in manifests.
    fn name(&self) -> &'static str;

    /// What several samples are called.
    fn noun(&self) -> &'static str {
        "samples"
    }

    /// The names of its classes, in the order of their numbers.
    fn labels(&self) -> &'static [&'static str];

    /// The tensors of [`Samples::inputs`], as a graph takes them.
    fn inputs(&self) -> Vec<TensorSpec>;

    /// Reads both parts. Files that are missing may be downloaded to the source's folder.
    fn load(&self, source: &Source<'_>) -> Result<Loaded, DatasetError>;

    /// Reads the test samples alone, onto the CPU, prepared as `bundle` says.
    fn load_test(&self, source: &Source<'_>, bundle: &Bundle) -> Result<Samples, DatasetError>;
}

/// Where a data set is read from, and how.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The user's folder with all data sets.
    pub data_dir: &'a Path,
    /// Where to keep what takes long to compute, for the next run.
    pub cache: &'a Path,
    /// Where the samples to learn from go.
    pub device: Device,
    /// How texts become tokens.
    pub tokenizer: TokenizerSettings,
    /// Where messages go.
    pub progress: Progress,
}

/// A data set that has been read.
#[derive(Debug)]
pub struct Loaded {
    /// What to learn from, on the device asked for.
    pub train: Samples,
    /// What to judge by, on the CPU.
    pub test: Samples,
    /// How a server must prepare what callers send.
    pub preprocessing: Option<Preprocessing>,
    /// Inputs of a bundle's golden samples, on the CPU. They must not come from the data set, so
    /// that a bundle carries nobody's data.
    pub golden: Vec<Tensor>,
    /// Further files of a bundle, such as `tokenizer.json`.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Why a data set cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The files cannot be read or downloaded.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The texts cannot be tokenised.
    #[error("tokeniser: {0}")]
    Tokenizer(#[from] TokenizerError),
    /// A bundle does not say how texts become tokens.
    #[error("the bundle has no token sequence with {TOKENIZER_FILE}, which this data set needs")]
    NoTokenizer,
    /// The key of the cache cannot be computed.
    #[error("cache of the reviews: {0}")]
    Cache(#[from] CacheError),
    /// The golden samples cannot be drawn.
    #[error("golden samples: {0}")]
    Golden(#[from] PlotError),
    /// An error of another data set's own.
    #[error(transparent)]
    Other(#[from] Box<dyn Error + Send + Sync>),
}
