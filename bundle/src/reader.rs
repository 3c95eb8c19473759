//! Reading a bundle: every listed file once, into memory, its size and checksum verified.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::digest::sha256_hex;
use crate::{
    BundleError, FileDigest, GOLDEN_FILE, GoldenSamples, MANIFEST_FILE, MODEL_FILE, Manifest,
};

/// A manifest is a page of text; more than this is something else.
pub(crate) const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// A bundle in memory, verified.
#[derive(Debug)]
pub struct Bundle {
    path: PathBuf,
    digest: String,
    manifest: Manifest,
    files: BTreeMap<String, Vec<u8>>,
    golden: GoldenSamples,
}

impl Bundle {
    /// Reads the bundle in `dir`, which must end in `<name>/<version>`.
    ///
    /// Every file that the manifest lists must be there with the size and SHA-256 it says; files
    /// that it does not list are not read. The error names the file at fault.
    pub fn open(dir: &Path) -> Result<Self, BundleError> {
        let (manifest, digest) = read_manifest(dir)?;
        let mut files = BTreeMap::new();
        for (name, digest) in &manifest.files {
            files.insert(name.clone(), read_verified(&dir.join(name), digest)?);
        }
        let golden = GoldenSamples::from_bytes(&files[GOLDEN_FILE])
            .and_then(|golden| golden.check(&manifest).map(|()| golden))
            .map_err(BundleError::at(&dir.join(GOLDEN_FILE)))?;
        Ok(Self {
            path: dir.to_owned(),
            digest,
            manifest,
            files,
            golden,
        })
    }

    /// What the manifest of the bundle in `dir` says. Nothing else of the bundle is read.
    ///
    /// # Errors
    /// It cannot be read, is wrong, or is of another bundle than `dir` says.
    pub fn announced(dir: &Path) -> Result<Manifest, BundleError> {
        Ok(read_manifest(dir)?.0)
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

/// Reads a regular file whose size is one of `sizes`; `allowed` says so to a person.
fn read(path: &Path, sizes: RangeInclusive<u64>, allowed: &str) -> Result<Vec<u8>, BundleError> {
    let check = |bytes: u64| {
        let problem = format!("holds {bytes} bytes, {allowed}");
        let fits = sizes.contains(&bytes);
        fits.then_some(())
            .ok_or_else(|| BundleError::new(path, problem))
    };
    // Asked before it is opened: opening a named pipe waits for a writer.
    let metadata = fs::metadata(path).map_err(BundleError::at(path))?;
    if !metadata.is_file() {
        return Err(BundleError::new(path, "not a regular file"));
    }
    check(metadata.len())?;
    let mut content = Vec::with_capacity(metadata.len() as usize);
    // One byte past the limit tells a file that grew meanwhile.
    File::open(path)
        .and_then(|file| file.take(sizes.end() + 1).read_to_end(&mut content))
        .map_err(BundleError::at(path))?;
    check(content.len() as u64)?;
    Ok(content)
}

/// Reads a file whose size and checksum the manifest gives.
fn read_verified(path: &Path, digest: &FileDigest) -> Result<Vec<u8>, BundleError> {
    if let Ok(false) = path.try_exists() {
        let problem = "the manifest lists this file, but it is missing";
        return Err(BundleError::new(path, problem));
    }
    let FileDigest { bytes, sha256 } = digest;
    let content = read(path, *bytes..=*bytes, &format!("the manifest says {bytes}"))?;
    let actual = sha256_hex(&content);
    if actual != *sha256 {
        let problem = format!("sha256 is {actual}, the manifest says {sha256}");
        return Err(BundleError::new(path, problem));
    }
    Ok(content)
}

/// The manifest of the bundle in `dir`, and its SHA-256.
fn read_manifest(dir: &Path) -> Result<(Manifest, String), BundleError> {
    let path = dir.join(MANIFEST_FILE);
    let allowed = format!("at most {MAX_MANIFEST_BYTES} are allowed");
    let text = read(&path, 0..=MAX_MANIFEST_BYTES, &allowed)?;
    let digest = sha256_hex(&text);
    let text = String::from_utf8(text).map_err(BundleError::at(&path))?;
    let manifest = Manifest::from_toml(&text).map_err(BundleError::at(&path))?;
    check_location(dir, &manifest)?;
    Ok((manifest, digest))
}

/// Checks that the folder is `<name>/<version>`, so that no bundle answers for another.
fn check_location(dir: &Path, manifest: &Manifest) -> Result<(), BundleError> {
    let Manifest { name, version, .. } = manifest;
    // A relative path such as `.` is made absolute first. Links are not followed: the names they
    // are reached by are what counts.
    let absolute = std::path::absolute(dir).map_err(BundleError::at(dir))?;
    let expected = format!("{name}/{version}");
    if absolute.ends_with(&expected) {
        return Ok(());
    }
    let problem = format!(
        "the manifest is of {name} version {version}, so the folder must end in {expected}"
    );
    Err(BundleError::new(dir, problem))
}
