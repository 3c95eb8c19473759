//! Where an imported model comes from, and where its bundle goes.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use quintet_bundle::{Import, Manifest, Provenance, sha256_hex};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::Error;

/// Where the bundle goes.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// Name of the model, as callers will know it: a-z, 0-9, `_` and `-`.
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: String,
    /// Where the bundle goes: DIR/NAME/VERSION.
    #[arg(long, value_name = "DIR", default_value = "models")]
    pub models_dir: PathBuf,
    /// Version of the bundle; one that exists is replaced.
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub model_version: u32,
}

/// Where the model comes from, for the manifest's provenance.
#[derive(Debug, Clone, Default, Args)]
pub struct Origin {
    /// The repository, package or address that the model comes from [default: the file's name].
    #[arg(long, value_name = "TEXT")]
    pub source: Option<String>,
    /// Its version or commit there.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub revision: String,
    /// The licence's SPDX expression, such as Apache-2.0.
    #[arg(long, value_name = "SPDX", default_value = "unknown")]
    pub licence: String,
}

/// A model's name, by the rule of a bundle's manifest: refused before anything is read.
pub(super) fn name(text: &str) -> Result<String, String> {
    let checked = Manifest::check_name(text);
    checked.map_or_else(|error| Err(error.to_string()), |()| Ok(text.to_owned()))
}

impl Origin {
    /// The provenance of a model whose weights are the bytes of `file`.
    pub(super) fn provenance(&self, file: &Path, bytes: &[u8]) -> Provenance {
        self.provenance_of(file, sha256_hex(bytes))
    }

    /// The provenance of a model in a file or folder whose weights have this SHA-256.
    pub(super) fn provenance_of(&self, path: &Path, sha256: String) -> Provenance {
        let name = || path.file_name().unwrap_or_default().to_string_lossy();
        Provenance::Imported(Import {
            source: self.source.clone().unwrap_or_else(|| name().into_owned()),
            revision: self.revision.clone(),
            licence: self.licence.clone(),
            sha256,
        })
    }
}

/// The names in a file of one on each line. A byte order mark and empty lines at the end are none.
pub(super) fn lines(text: &str) -> Vec<String> {
    let text = text.trim_start_matches('\u{feff}').trim_end();
    text.lines().map(|line| line.trim().to_owned()).collect()
}

/// Names the file in ONNX Runtime's errors, which do not.
pub(super) fn in_file(path: &Path) -> impl Fn(Error) -> Error {
    |error| match error {
        Error::Runtime(cause) => Error::file(path)(format!("onnxruntime: {cause}")),
        error => error,
    }
}

/// Whether there is anything of this name, be it a link to nothing: then reading says so.
pub(crate) fn is_there(path: &Path) -> bool {
    let missing = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
    !fs::symlink_metadata(path).is_err_and(missing)
}

/// What a JSON file says.
///
/// # Errors
/// It is no JSON, or a value of it is of another type: the key, where that alone is wrong.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let bytes = without_mark(bytes);
    serde_json::from_slice(bytes)
        .map_err(|error| wrong_key::<T>(bytes).unwrap_or_else(|| error.to_string()))
}

/// The first key whose value alone cannot be read, though a file without any could be.
fn wrong_key<T: DeserializeOwned>(bytes: &[u8]) -> Option<String> {
    let all: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
    T::deserialize(Value::Object(Map::new())).ok()?;
    all.into_iter().find_map(|(key, value)| {
        let alone = Value::Object(Map::from_iter([(key.clone(), value)]));
        T::deserialize(alone)
            .err()
            .map(|error| format!("{key}: {error}"))
    })
}

/// The bytes without the byte order mark that some editors put before a text.
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Reads a regular file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let metadata = fs::metadata(path).map_err(Error::file(path))?;
    if !metadata.is_file() {
        return Err(Error::file(path)("not a regular file"));
    }
    let too_large = |bytes: u64| {
        let problem = format!("holds {bytes} bytes; at most {limit} are allowed");
        Error::file(path)(problem)
    };
    if metadata.len() > limit {
        return Err(too_large(metadata.len()));
    }
    let mut content = Vec::with_capacity(metadata.len() as usize);
    // One byte past the limit tells a file that grew meanwhile.
    File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut content))
        .map_err(Error::file(path))?;
    if content.len() as u64 > limit {
        return Err(too_large(content.len() as u64));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq, Eq)]
    #[serde(default)]
    struct Sizes {
        hidden: Option<i64>,
        layers: Option<i64>,
    }

    #[test]
    fn the_key_of_a_wrong_type_is_named() {
        let read = |text: &str| json::<Sizes>(text.as_bytes());
        let sizes = read("\u{feff}{\"hidden\": 8}").unwrap();
        assert_eq!((sizes.hidden, sizes.layers), (Some(8), None));
        let error = read(r#"{"hidden": 8, "layers": "two"}"#).unwrap_err();
        assert!(error.starts_with("layers: invalid type: string"), "{error}");
        let error = read(r#"{"hidden": 8, "hidden": 8}"#).unwrap_err();
        assert!(error.contains("duplicate field `hidden`"), "{error}");
        assert!(read("[").is_err());
    }

    #[test]
    fn names_are_those_that_a_manifest_may_have() {
        for good in ["a", "resnet-18_v2", &"a".repeat(64)] {
            assert_eq!(name(good).as_deref(), Ok(good));
        }
        for bad in ["", "A", "a b", "a/b", ".", "é", &"a".repeat(65)] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
