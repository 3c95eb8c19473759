//! Where a data file may be in the user's data folder, and how it may be packed.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

use crate::{DataError, DataErrorKind};

/// The places of `name`, packed (`.gz`) or not, the usual one first.
pub(crate) fn candidates(data_dir: &Path, folder: &str, name: &str) -> [PathBuf; 4] {
    let packed = format!("{name}.gz");
    let own = data_dir.join(folder);
    [
        own.join(&packed),
        own.join(name),
        data_dir.join(&packed),
        data_dir.join(name),
    ]
}

/// The first place of `name` where there is a file; `url` is where it is published.
pub(crate) fn find(
    data_dir: &Path,
    folder: &str,
    name: &str,
    url: &'static str,
) -> Result<PathBuf, DataError> {
    let places = candidates(data_dir, folder, name);
    if let Some(found) = places.iter().find(|path| path.is_file()) {
        return Ok(found.clone());
    }
    let [usual, others @ ..] = places;
    let others = others.map(|path| path.display().to_string()).join(", ");
    let kind = DataErrorKind::NotFetched { others, url };
    Err(DataError::new(usual, kind))
}

/// Unpacks what starts like a gzip stream. A name proves nothing: some programs unpack a download
/// and keep its name.
pub(crate) fn unpacked<'a>(file: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut file = BufReader::new(file);
    Ok(if file.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        Box::new(GzDecoder::new(file))
    } else {
        Box::new(file)
    })
}
