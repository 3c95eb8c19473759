//! Where an imported model comes from, and where its bundle goes.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use quintet_bundle::{Import, Provenance, sha256_hex};

use crate::error::Error;

/// Where the bundle goes.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// Name of the model, as callers will know it: a-z, 0-9, `_` and `-`.
    #[arg(long, value_name = "NAME")]
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
