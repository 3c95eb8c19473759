//! What the trainer asks of a data set. A data set is added by one file that implements this.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use quintet_bundle::{Bundle, Preprocessing, TensorSpec};
use tch::{Device, Tensor};

use super::Samples;
use super::text::TokenizerSettings;
use crate::error::Error;
use crate::pretrained::Pretrained;
use crate::verify::Runtime;

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
    fn load(&self, source: &Source<'_>) -> Result<Loaded, Error>;

    /// Reads the test samples alone, onto the CPU, prepared as `bundle` says.
    fn load_test(&self, source: &Source<'_>, bundle: &Bundle) -> Result<Samples, Error>;
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
    /// Whether to read judged sentences beside whole texts.
    pub has_sentences: bool,
    /// The encoder that a network of texts starts from, if there is one.
    pub pretrained: Option<&'a Pretrained>,
    /// What gives sentences of the texts a score, if they are learnt from.
    pub teaching: Option<Teaching<'a>>,
}

/// How sentences are drawn from texts and get a score.
#[derive(Clone, Copy, Debug)]
pub struct Teaching<'a> {
    /// How many are drawn.
    pub sentences: usize,
    /// How many phrases that begin with a negation are drawn besides.
    pub negations: usize,
    /// Decides which.
    pub seed: u64,
    /// The teacher.
    pub bundle: &'a Bundle,
    /// What the teacher runs in.
    pub runtime: &'a Runtime,
}

/// A data set that has been read.
#[derive(Debug)]
pub struct Loaded {
    /// What to learn from, on the device asked for.
    pub train: Samples,
    /// What to learn from in addition, and its name in manifests.
    pub further: Option<(&'static str, Samples)>,
    /// Sentences of the training texts, with a teacher's scores.
    pub taught: Option<Samples>,
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
