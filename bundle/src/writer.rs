//! Writing a bundle so that no reader ever sees half of one.
//!
//! Files go to a dot-folder beside the target, are flushed to the disk, and appear under their
//! name in one rename. A version that was already there is first moved to a dot-folder of its own.
//! A crash leaves only dot-folders behind, which [`crate::discover()`] does not see.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::reader::MAX_MANIFEST_BYTES;
use crate::{
    BundleError, FileDigest, GOLDEN_FILE, GoldenSamples, MANIFEST_FILE, MODEL_FILE, Manifest,
};

/// What goes into a bundle.
#[derive(Debug, Clone)]
pub struct BundleContents {
    /// The manifest; its list of files is filled in by the writer.
    pub manifest: Manifest,
    /// The ONNX graph.
    pub model: Vec<u8>,
    /// Sample inputs and expected outputs.
    pub golden: GoldenSamples,
    /// Other files by name, such as `tokenizer.json`.
    pub extra: BTreeMap<String, Vec<u8>>,
}

/// Writes `models_dir/<name>/<version>/` and gives that path. An existing version is replaced.
///
/// Nothing is written when the manifest or the golden samples would be refused on reading.
pub fn write_bundle(models_dir: &Path, contents: BundleContents) -> Result<PathBuf, BundleError> {
    let BundleContents {
        mut manifest,
        model,
        golden,
        extra: mut files,
    } = contents;
    manifest
        .validate()
        .map_err(BundleError::at(&models_dir.join(MANIFEST_FILE)))?;
    let model_dir = models_dir.join(&manifest.name);
    let target = model_dir.join(manifest.version.to_string());

    let golden_path = target.join(GOLDEN_FILE);
    golden
        .check(&manifest)
        .map_err(BundleError::at(&golden_path))?;
    let golden = golden.to_bytes().map_err(BundleError::at(&golden_path))?;
    for (name, content) in [(GOLDEN_FILE, golden), (MODEL_FILE, model)] {
        if files.insert(name.to_owned(), content).is_some() {
            let problem = format!("extra is {name}, must be a file that the writer does not make");
            return Err(BundleError::new(target, problem));
        }
    }
    manifest.files = files
        .iter()
        .map(|(name, content)| (name.clone(), FileDigest::of(content)))
        .collect();
    let manifest_path = target.join(MANIFEST_FILE);
    let text = manifest
        .validate_files()
        .and_then(|()| manifest.to_toml())
        .map_err(BundleError::at(&manifest_path))?;
    if text.len() as u64 > MAX_MANIFEST_BYTES {
        let bytes = text.len();
        let problem = format!(
            "would hold {bytes} bytes, at most {MAX_MANIFEST_BYTES} are allowed; labels take most"
        );
        return Err(BundleError::new(manifest_path, problem));
    }
    files.insert(MANIFEST_FILE.to_owned(), text.into_bytes());

    fs::create_dir_all(&model_dir).map_err(BundleError::at(&model_dir))?;
    let staging = hidden_folder(&model_dir)?;
    for (name, content) in &files {
        let path = staging.path().join(name);
        write_synced(&path, content).map_err(BundleError::at(&path))?;
    }
    sync_folder(staging.path())?;
    publish(staging, &target)?;
    sync_folder(&model_dir)?;
    sync_folder(models_dir)?;
    Ok(target)
}

/// Renames `staging` to `target`, moving away what was there.
fn publish(staging: TempDir, target: &Path) -> Result<(), BundleError> {
    let parent = target
        .parent()
        .expect("the target is made by joining onto a folder");
    let retired = hidden_folder(parent)?;
    let old = retired.path().join("bundle");
    let had_old = match fs::rename(target, &old) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(BundleError::new(target, error)),
    };
    if let Err(error) = fs::rename(staging.path(), target) {
        if had_old {
            // Should this fail too, the old bundle must at least not be deleted.
            fs::rename(&old, target).map_err(|error| BundleError::new(retired.keep(), error))?;
        }
        return Err(BundleError::new(target, error));
    }
    // It lives under the target's name now, and must not be deleted on drop.
    let _ = staging.keep();
    retired.close().map_err(BundleError::at(parent))
}

/// A fresh dot-folder in `parent`, deleted on drop.
fn hidden_folder(parent: &Path) -> Result<TempDir, BundleError> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".writing-");
    // The default is 0700, which would keep a server under another user from reading the bundle.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    builder.tempdir_in(parent).map_err(BundleError::at(parent))
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Flushes a folder's entries, so that a rename survives a power cut.
fn sync_folder(path: &Path) -> Result<(), BundleError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(BundleError::at(path))
}
