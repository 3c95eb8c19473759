//! Errors of reading and fetching data: the file at fault, and what is wrong with it.

use std::io;
use std::path::{Path, PathBuf};

/// A data file that could not be read or fetched.
#[derive(Debug, thiserror::Error)]
#[error("{}: {kind}", path.display())]
pub struct DataError {
    /// The file at fault; for a file that is missing, its usual place.
    pub path: PathBuf,
    /// What is wrong with it.
    pub kind: DataErrorKind,
}

/// What is wrong with a data file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataErrorKind {
    /// The operating system refused, or the gzip stream is damaged.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file is in none of its places: the others, and where it is published.
    #[error("{0}")]
    NotFetched(String),
    /// The content is not that of the published file: what was found, and what must be there.
    #[error("{0}")]
    Content(String),
    /// No mirror gave the file: what each said.
    #[error("cannot be downloaded: {0}")]
    Download(String),
}

impl DataError {
    /// An error of `kind` about `path`.
    pub(crate) fn new(path: impl AsRef<Path>, kind: impl Into<DataErrorKind>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            kind: kind.into(),
        }
    }
}
