//! Errors of bundles and manifests. Each is a message that names the place and what is wrong there.

use std::fmt::Display;
use std::path::{Path, PathBuf};

/// A bundle that could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct BundleError {
    /// The file or folder at fault.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

/// A manifest that could not be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ManifestError(pub(crate) String);

impl BundleError {
    /// The error about `path`.
    pub(crate) fn new(path: impl Into<PathBuf>, problem: impl Display) -> Self {
        Self {
            path: path.into(),
            problem: problem.to_string(),
        }
    }

    /// Turns any error into one about `path`; for `map_err`.
    pub(crate) fn at<E: Display>(path: &Path) -> impl Fn(E) -> Self {
        move |problem| Self::new(path, problem)
    }
}

impl ManifestError {
    /// The error about `field`, such as `inputs.pixels.shape`.
    pub fn field(field: impl Display, found: impl Display, allowed: impl Display) -> Self {
        Self(format!("{field} is {found}, must be {allowed}"))
    }
}

/// Refuses what `field` holds, unless it `fits`.
pub(crate) fn check(
    fits: bool,
    field: impl Display,
    found: impl Display,
    allowed: impl Display,
) -> Result<(), ManifestError> {
    if fits {
        return Ok(());
    }
    Err(ManifestError::field(field, found, allowed))
}
