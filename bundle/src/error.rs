//! Errors of reading and writing bundles: the path at fault, and what is wrong with it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::FORMAT_VERSION;

/// A bundle that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {kind}", path.display())]
pub struct BundleError {
    /// The file or folder at fault.
    pub path: PathBuf,
    /// What is wrong with it.
    pub kind: BundleErrorKind,
}

/// What is wrong with a file or folder of a bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleErrorKind {
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The manifest is not one.
    #[error("{0}")]
    Manifest(#[from] ManifestError),
    /// The golden samples do not fit the manifest, or cannot be parsed.
    #[error("{0}")]
    Golden(#[from] GoldenError),
    /// A file that the manifest lists is not there.
    #[error("the manifest lists this file, but it is missing")]
    Missing,
    /// A path that should be a plain file is something else.
    #[error("not a regular file")]
    NotAFile,
    /// The file's size is not the manifest's.
    #[error("holds {actual} bytes, the manifest says {expected}")]
    Size {
        /// Size in the manifest, in bytes.
        expected: u64,
        /// Size on disk, in bytes.
        actual: u64,
    },
    /// The file's SHA-256 is not the manifest's.
    #[error("sha256 is {actual}, the manifest says {expected}")]
    Checksum {
        /// Checksum in the manifest.
        expected: String,
        /// Checksum of the bytes on disk.
        actual: String,
    },
    /// The file is larger than is read.
    #[error("holds {bytes} bytes, at most {limit} are allowed")]
    TooLarge {
        /// Size of the file in bytes.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The folder is not the place for this manifest.
    #[error(
        "the manifest is of {name} version {version}, so the folder must end in {name}/{version}"
    )]
    Location {
        /// Name in the manifest.
        name: String,
        /// Version in the manifest.
        version: u32,
    },
}

/// A manifest that could not be accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not TOML, or not of the manifest's shape (an unknown or missing key, a wrong type).
    #[error("{0}")]
    Parse(#[from] Box<toml::de::Error>),
    /// The manifest holds a value that TOML cannot.
    #[error("cannot be written as TOML: {0}")]
    Write(#[from] Box<toml::ser::Error>),
    /// Written by a newer Quintet, or not by Quintet.
    #[error("format_version is {found}, this version reads 1 to {FORMAT_VERSION}")]
    FormatVersion {
        /// The version found.
        found: i64,
    },
    /// A kind of pre-processing that this version does not know.
    #[error("preprocessing.kind is {0}, which this version does not know; a newer one may")]
    UnknownPreprocessing(String),
    /// The settings of a kind of pre-processing are not of its shape.
    #[error("preprocessing of kind {kind}: {source}")]
    Preprocessing {
        /// The kind.
        kind: &'static str,
        /// What is wrong.
        source: Box<toml::de::Error>,
    },
    /// A key holds a value that is not allowed.
    #[error("{field} is {found}, must be {allowed}")]
    Field {
        /// The key, such as `inputs.pixels.shape`.
        field: String,
        /// What it holds.
        found: String,
        /// What it may hold.
        allowed: String,
    },
}

/// Golden samples that could not be accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GoldenError {
    /// Not a safetensors file.
    #[error("not a safetensors file: {0}")]
    Parse(#[from] safetensors::SafeTensorError),
    /// A tensor that is not what the signature says, or missing, or one too many.
    #[error("tensor `{name}` {problem}")]
    Tensor {
        /// The tensor's name in the file.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
}

// === impl BundleError ===

impl BundleError {
    /// An error of `kind` about `path`.
    pub(crate) fn new(path: impl AsRef<Path>, kind: impl Into<BundleErrorKind>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            kind: kind.into(),
        }
    }

    /// Turns any source of an error into one about `path`; for `map_err`.
    pub(crate) fn at<E: Into<BundleErrorKind>>(path: &Path) -> impl FnOnce(E) -> Self {
        move |kind| Self::new(path, kind)
    }
}

// === impl ManifestError ===

impl ManifestError {
    /// The error about `field`, which holds `found`.
    pub fn field(
        field: impl Into<String>,
        found: &dyn fmt::Display,
        allowed: impl Into<String>,
    ) -> Self {
        Self::Field {
            field: field.into(),
            found: found.to_string(),
            allowed: allowed.into(),
        }
    }
}
