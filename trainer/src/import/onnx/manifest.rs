//! What the user says about an ONNX file: `--manifest`.

use std::path::{Path, PathBuf};

use quintet_bundle::text::Tokenizer;
use quintet_bundle::{DataType, Dim, Preprocessing, ProblemType, Role};
use serde::Deserialize;

use super::normalisation::Normalisation;
use crate::error::{Cause, Error};
use crate::import::MAX_TOKENIZER_BYTES;
use crate::import::added::{Added, check_dropout};
use crate::import::target::{lines, read, without_mark};

/// A manifest is a page of text, and labels are not much more.
const MAX_BYTES: u64 = 1 << 20;

/// What a manifest for `import onnx` says. Unknown keys are refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportManifest {
    /// What the model does: `image_classification`, `text_classification`, or a task of another
    /// server.
    pub task: String,
    /// The network's architecture, such as `efficientnet-lite0`; the model's name if it is missing.
    pub architecture: Option<String>,
    /// The repository, package or address that the file comes from; its name if it is missing.
    pub source: Option<String>,
    /// The version or commit there.
    #[serde(default)]
    pub revision: String,
    /// The licence's SPDX expression.
    pub licence: Option<String>,
    /// The names of the classes, in the order of the output.
    #[serde(default)]
    pub labels: Vec<String>,
    /// A file with a name on each line, beside this one.
    pub labels_file: Option<PathBuf>,
    /// What the labels are to each other: of logits, whether the server takes their softmax.
    #[serde(default)]
    pub problem_type: ProblemType,
    /// The file tokenizer.json of a text model, beside this one.
    pub tokenizer: Option<PathBuf>,
    /// The most rows in one run.
    pub max_batch_size: Option<usize>,
    /// How an input becomes tensors, as in a bundle's manifest.
    pub preprocessing: Option<Preprocessing>,
    /// How the graph is to normalise pixels, unless it takes levels from 0 to 255.
    pub normalisation: Option<Normalisation>,
    /// The file's inputs, all of them.
    pub inputs: Vec<Tensor>,
    /// Those of the file's outputs that are served.
    pub outputs: Vec<Tensor>,
}

/// An input or output of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tensor {
    /// The value's name in the file.
    pub name: String,
    /// What it means.
    pub role: Option<Role>,
    /// The type of its elements in the file; none is an error that names the file's.
    pub datatype: Option<DataType>,
    /// Its shape in the file; a symbol for each open length.
    pub shape: Vec<Dim>,
    /// Of an output of role `logits`: whether the bundle's graph gives their softmax, with role
    /// `probabilities`.
    #[serde(default)]
    pub softmax: bool,
}

impl ImportManifest {
    /// Reads a manifest and the files that it names.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let mut manifest: Self = parse(&text(path)?).map_err(Error::file(path))?;
        if let Some(file) = &manifest.labels_file {
            if !manifest.labels.is_empty() {
                let problem = "labels_file: is beside labels; only one of the two is allowed";
                return Err(Error::file(path)(problem));
            }
            let text = text(&beside(path, file)?)?;
            manifest.labels = lines(&text);
        }
        Ok(manifest)
    }

    /// The bytes of the tokeniser, where there is one.
    pub(super) fn tokenizer(&self, path: &Path) -> Result<Option<Vec<u8>>, Error> {
        let Some(file) = &self.tokenizer else {
            return Ok(None);
        };
        let file = beside(path, file)?;
        let bytes = read(&file, MAX_TOKENIZER_BYTES)?;
        let bytes = without_mark(&bytes).to_vec();
        check_tokenizer(&bytes).map_err(Error::file(&file))?;
        Ok(Some(bytes))
    }
}

/// That the tokeniser reads a text the same each time, and has the tokens that it adds.
fn check_tokenizer(bytes: &[u8]) -> Result<(), Cause> {
    let size = Tokenizer::from_bytes(bytes)?.vocabulary_size() as i64;
    let file = serde_json::from_slice(bytes)?;
    check_dropout(&file)?;
    let holder = format!("the file has {size} tokens");
    Ok(Added::of(&file).check_tokens(size, &holder)?)
}

fn parse(text: &str) -> Result<ImportManifest, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

fn text(path: &Path) -> Result<String, Error> {
    let bytes = read(path, MAX_BYTES)?;
    let text = std::str::from_utf8(without_mark(&bytes)).map_err(Error::file(path))?;
    Ok(text.to_owned())
}

/// A file in the manifest's folder.
fn beside(manifest: &Path, file: &Path) -> Result<PathBuf, Error> {
    let mut parts = file.components();
    let is_name = matches!(parts.next(), Some(std::path::Component::Normal(_)));
    if !is_name || parts.next().is_some() {
        let problem = format!(
            "{}: is a path; the name of a file beside the manifest is allowed",
            file.display()
        );
        return Err(Error::file(manifest)(problem));
    }
    Ok(manifest.with_file_name(file))
}
