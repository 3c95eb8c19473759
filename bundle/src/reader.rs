//! Reading a bundle: every listed file once, into memory, its size and checksum verified.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::digest::sha256_hex;
use crate::{
    BundleError, BundleErrorKind, FileDigest, GOLDEN_FILE, GoldenSamples, MANIFEST_FILE,
    MODEL_FILE, Manifest,
};

/// A manifest is a page of text; more than this is something else.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// A bundle in memory, verified.
#[derive(Debug)]
pub struct Bundle {
    path: PathBuf,
    digest: String,
    manifest: Manifest,
    files: BTreeMap<String, Vec<u8>>,
    golden: GoldenSamples,
}

// === impl Bundle ===

impl Bundle {
    /// Reads the bundle in `dir`, which must end in `<name>/<version>`.
    ///
    /// Every file that the manifest lists must be there with the size and SHA-256 it says; files
    /// that it does not list are not read. The error names the file at fault.
    pub fn open(dir: &Path) -> Result<Self, BundleError> {
        let manifest_path = dir.join(MANIFEST_FILE);
        let at_manifest = || BundleError::at::<BundleErrorKind>(&manifest_path);
        let text = read_bounded(&manifest_path, MAX_MANIFEST_BYTES)?;
        let digest = sha256_hex(&text);
        let text = String::from_utf8(text)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
            .map_err(|error| at_manifest()(error.into()))?;
        let manifest = Manifest::from_toml(&text).map_err(|error| at_manifest()(error.into()))?;
        check_location(dir, &manifest)?;

        let mut files = BTreeMap::new();
        for (name, digest) in &manifest.files {
            files.insert(name.clone(), read_verified(&dir.join(name), digest)?);
        }

        let golden_path = dir.join(GOLDEN_FILE);
        let bytes = files.remove(GOLDEN_FILE).unwrap_or_default();
        let golden = GoldenSamples::from_bytes(&bytes).map_err(BundleError::at(&golden_path))?;
        golden
            .check(&manifest)
            .map_err(BundleError::at(&golden_path))?;
        files.insert(GOLDEN_FILE.to_owned(), bytes);
        Ok(Self {
            path: dir.to_owned(),
            digest,
            manifest,
            files,
            golden,
        })
    }

    /// The folder that the bundle was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bundle's identity: the SHA-256 of its manifest, which holds those of all other files.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What the bundle is.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The bytes of the ONNX graph.
    pub fn model(&self) -> &[u8] {
        self.file(MODEL_FILE)
            .expect("a manifest without the model is refused on opening")
    }

    /// Sample inputs and the outputs to expect.
    pub fn golden(&self) -> &GoldenSamples {
        &self.golden
    }

    /// The bytes of a file that the manifest lists, such as `tokenizer.json`.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }
}

/// Reads a file of at most `limit` bytes.
fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, BundleError> {
    let file = File::open(path).map_err(BundleError::at(path))?;
    let metadata = file.metadata().map_err(BundleError::at(path))?;
    if !metadata.is_file() {
        return Err(BundleError::new(path, BundleErrorKind::NotAFile));
    }
    let bytes = metadata.len();
    if bytes > limit {
        return Err(BundleError::new(
            path,
            BundleErrorKind::TooLarge { bytes, limit },
        ));
    }
    let mut content = Vec::with_capacity(bytes as usize);
    // One byte past the limit tells a file that grew meanwhile.
    file.take(limit + 1)
        .read_to_end(&mut content)
        .map_err(BundleError::at(path))?;
    match content.len() as u64 {
        bytes if bytes > limit => Err(BundleError::new(
            path,
            BundleErrorKind::TooLarge { bytes, limit },
        )),
        _ => Ok(content),
    }
}

/// Reads a file whose size and checksum the manifest gives.
fn read_verified(path: &Path, digest: &FileDigest) -> Result<Vec<u8>, BundleError> {
    let expected = digest.bytes;
    let wrong_size = |actual| BundleError::new(path, BundleErrorKind::Size { expected, actual });
    let content = read_bounded(path, expected).map_err(|error| match error.kind {
        BundleErrorKind::Io(io) if io.kind() == io::ErrorKind::NotFound => {
            BundleError::new(path, BundleErrorKind::Missing)
        }
        // Here the limit is the manifest's size.
        BundleErrorKind::TooLarge { bytes, .. } => wrong_size(bytes),
        kind => BundleError::new(path, kind),
    })?;
    if content.len() as u64 != expected {
        return Err(wrong_size(content.len() as u64));
    }
    let actual = sha256_hex(&content);
    if actual != digest.sha256 {
        let expected = digest.sha256.clone();
        return Err(BundleError::new(
            path,
            BundleErrorKind::Checksum { expected, actual },
        ));
    }
    Ok(content)
}

/// Checks that the folder is `<name>/<version>`, so that no bundle answers for another.
fn check_location(dir: &Path, manifest: &Manifest) -> Result<(), BundleError> {
    let (name, version) = (&manifest.name, manifest.version);
    let expected = Path::new(name).join(version.to_string());
    // A relative path such as `.` is made absolute first. Links are not followed: the names they
    // are reached by are what counts.
    let absolute = std::path::absolute(dir).map_err(BundleError::at(dir))?;
    if absolute.ends_with(&expected) {
        return Ok(());
    }
    let name = name.clone();
    Err(BundleError::new(
        dir,
        BundleErrorKind::Location { name, version },
    ))
}
