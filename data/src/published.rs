//! The files of a data set: where they are published, where they may be, and how they are packed.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

use crate::{DataError, DataErrorKind};

/// The files of a data set as published. With the feature `download`, those that are missing can be
/// fetched.
#[derive(Debug, Clone, Copy)]
pub struct Published {
    /// The data set's own folder in the user's data folder.
    pub(crate) folder: &'static str,
    /// Whether the files may also lie in the data folder itself. Two data sets whose files have the
    /// same names cannot share it.
    pub(crate) is_shared: bool,
    /// Addresses to which a file's name and `suffix` are appended, in the order in which they are
    /// tried.
    pub(crate) mirrors: &'static [&'static str],
    /// What published names end with: `.gz`, or nothing for plain files.
    #[cfg_attr(
        not(feature = "download"),
        expect(dead_code, reason = "only downloads read it")
    )]
    pub(crate) suffix: &'static str,
    /// The files.
    #[cfg_attr(
        not(feature = "download"),
        expect(dead_code, reason = "only downloads read it")
    )]
    pub(crate) files: &'static [PublishedFile],
}

/// A file as published.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(feature = "download"),
    expect(dead_code, reason = "only downloads read it")
)]
pub(crate) struct PublishedFile {
    /// Its name without `.gz`.
    pub(crate) name: &'static str,
    /// Size in bytes, of the packed file or of what is packed in it.
    pub(crate) bytes: u64,
    /// SHA-256 of the same, hexadecimal.
    pub(crate) sha256: &'static str,
    /// Whether size and SHA-256 are of the file as it is published, packed or not. Sources may pack the same data in different
    /// ways.
    pub(crate) is_of_packed: bool,
}

impl Published {
    /// The places of the file `name`, packed (`.gz`) or not, the usual one first.
    pub(crate) fn places(&self, data_dir: &Path, name: &str) -> Vec<PathBuf> {
        let packed = format!("{name}.gz");
        let own = data_dir.join(self.folder);
        let mut places = vec![own.join(&packed), own.join(name)];
        if self.is_shared {
            places.extend([data_dir.join(&packed), data_dir.join(name)]);
        }
        places
    }

    /// The first place of the file `name` where there is a file.
    pub(crate) fn find(&self, data_dir: &Path, name: &str) -> Result<PathBuf, DataError> {
        let places = self.places(data_dir, name);
        if let Some(found) = places.iter().find(|path| path.is_file()) {
            return Ok(found.clone());
        }
        let others = places[1..].iter().map(|path| path.display().to_string());
        let (others, url) = (others.collect::<Vec<_>>().join(", "), self.mirrors[0]);
        let reason = format!("not found, nor {others}; it is published at {url}");
        Err(DataError::new(
            &places[0],
            DataErrorKind::NotFetched(reason),
        ))
    }
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
