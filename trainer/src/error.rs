//! What can go wrong in the trainer.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use quintet_bundle::text::TokenizerError;
use quintet_bundle::{BundleError, SaturationError, TensorError};
use quintet_data::DataError;
use quintet_onnx::{ForeignError, GraphError, ReadError};
use tch::TchError;

/// The error of another crate's data set or file format.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// Why a command, or a part of it, failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    Arguments(#[from] clap::Error),
    /// Other flags or another recipe can solve it: what is wrong, and what is allowed.
    #[error("{0}")]
    Usage(String),
    /// A file cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: Cause,
    },
    /// A run cannot start or go on: its samples, its checkpoint or its loss.
    #[error("{0}")]
    Training(String),
    /// ONNX Runtime gives another shape than libtorch, or other values.
    #[error("{0}")]
    Parity(String),
    /// A data set cannot be read or downloaded.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Texts cannot be tokenised.
    #[error("tokeniser: {0}")]
    Tokenizer(#[from] TokenizerError),
    /// A bundle cannot be read or written.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Golden samples are not tensors.
    #[error(transparent)]
    Golden(#[from] TensorError),
    /// A network cannot be written as a graph.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The processor would give wrong answers in int8.
    #[error(transparent)]
    Saturation(#[from] SaturationError),
    /// A graph of another program is refused.
    #[error(transparent)]
    Foreign(#[from] ForeignError),
    /// The graph of a judging network cannot be read.
    #[error("the judge's graph: {0}")]
    Judge(#[from] ReadError),
    /// ONNX Runtime refuses a model or fails in it.
    #[error("onnxruntime: {0}")]
    Runtime(#[from] ort::Error),
    /// libtorch failed.
    #[error("libtorch: {0}")]
    Torch(#[from] TchError),
    /// Signals cannot be handled.
    #[error("signals: {0}")]
    Signals(#[from] ctrlc::Error),
    /// Standard output is closed.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
    /// Another failure.
    #[error(transparent)]
    Other(#[from] Cause),
}

impl Error {
    /// Names `path` in the error of a file operation.
    pub fn file<E: Into<Cause>>(path: &Path) -> impl Fn(E) -> Self {
        |cause| Self::File {
            path: path.to_owned(),
            cause: cause.into(),
        }
    }

    /// A value of a recipe or flag that is not allowed.
    pub(crate) fn value(field: &str, value: impl fmt::Display, allowed: &str) -> Self {
        Self::Usage(format!("{field} is {value}, allowed: {allowed}"))
    }

    /// Whether the reader of standard output has gone away.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
