//! Finding the bundles in a model repository.

use std::fs;
use std::path::{Path, PathBuf};

use crate::BundleError;

/// Where a bundle lies. It has not been opened yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BundlePath {
    /// Model name, from the folder.
    pub name: String,
    /// Model version, from the folder.
    pub version: u32,
    /// The bundle's folder.
    pub path: PathBuf,
}

/// Finds every `<name>/<version>/` in `models_dir`, sorted by name and then by version.
///
/// Files, dot-folders (unfinished writes among them) and folders whose name is not a version
/// (`1`, `2`, …) are passed over. Whether a folder holds a good bundle is for
/// [`crate::Bundle::open`] to say.
///
/// # Errors
/// `models_dir` or a folder in it cannot be read.
pub fn discover(models_dir: &Path) -> Result<Vec<BundlePath>, BundleError> {
    let mut unreadable = None;
    let found = discover_readable(models_dir, |error| unreadable = Some(error))?;
    unreadable.map_or(Ok(found), Err)
}

/// [`discover()`] that passes over the folders in `models_dir` that cannot be read, such as
/// `lost+found`, and tells `unreadable` of each.
///
/// # Errors
/// `models_dir` itself cannot be read.
pub fn discover_readable(
    models_dir: &Path,
    mut unreadable: impl FnMut(BundleError),
) -> Result<Vec<BundlePath>, BundleError> {
    let mut found = Vec::new();
    for (name, folder) in folders(models_dir)? {
        let versions = folders(&folder).unwrap_or_else(|error| {
            unreadable(error);
            Vec::new()
        });
        for (version, path) in versions {
            if let Some(version) = parse_version(&version) {
                found.push(BundlePath {
                    name: name.clone(),
                    version,
                    path,
                });
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The visible folders in `dir`, links to folders included.
fn folders(dir: &Path) -> Result<Vec<(String, PathBuf)>, BundleError> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(dir).map_err(BundleError::at(dir))? {
        let entry = entry.map_err(BundleError::at(dir))?;
        let path = entry.path();
        match entry.file_name().into_string() {
            Ok(name) if !name.starts_with('.') && path.is_dir() => folders.push((name, path)),
            _ => {}
        }
    }
    Ok(folders)
}

/// Reads `1`, `2`, …; not `0`, `01` or `+1`, which no writer makes.
fn parse_version(text: &str) -> Option<u32> {
    let version: u32 = text.parse().ok()?;
    (version > 0 && version.to_string() == text).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_and_without_strangers() {
        let dir = tempfile::tempdir().unwrap();
        for folder in [
            "mlp/10",
            "mlp/2",
            "cnn/1",
            "cnn/.writing-x",
            ".git/1",
            "cnn/01",
            "cnn/0",
        ] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        fs::write(dir.path().join("README.md"), "").unwrap();
        fs::write(dir.path().join("mlp/3"), "a file").unwrap();
        let found = discover(dir.path()).unwrap();
        let found: Vec<_> = found.iter().map(|b| (b.name.as_str(), b.version)).collect();
        assert_eq!(found, [("cnn", 1), ("mlp", 2), ("mlp", 10)]);
    }

    #[test]
    fn a_missing_repository_is_named() {
        let error = discover(Path::new("/nowhere/models")).unwrap_err();
        assert!(
            error.to_string().starts_with("/nowhere/models: "),
            "{error}"
        );
    }
}
