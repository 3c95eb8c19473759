//! Errors of reading and fetching data: the file at fault, and what is wrong with it.

use std::io;
use std::path::{Path, PathBuf};

/// A data file that could not be read or fetched.
#[derive(Debug, thiserror::Error)]
#[error("{}: {kind}", path.display())]
pub struct DataError {
    /// The file at fault; for a file that is missing, its usual place.
    pub path: PathBuf,
    /// What is wrong with it.
    pub kind: DataErrorKind,
}

/// What is wrong with a data file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataErrorKind {
    /// The operating system refused, or the gzip stream is damaged.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file is in none of its places.
    #[error("not found, nor {others}; it is published at {url}")]
    NotFetched {
        /// The other places, as text.
        others: String,
        /// Where the file is published.
        url: &'static str,
    },
    /// The file does not start with the magic number of its kind.
    #[error("magic number is {found:#010x}, must be {expected:#010x}")]
    Magic {
        /// The magic number found.
        found: u32,
        /// The magic number of this kind of file.
        expected: u32,
    },
    /// The images are of another size.
    #[error("images are {width} x {height} pixels, must be {side} x {side}")]
    ImageSize {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The only width and height allowed, in pixels.
        side: u32,
    },
    /// The header promises more items than any file of this kind holds.
    #[error("header promises {count} items, at most {limit} are allowed")]
    TooMany {
        /// Items promised.
        count: u32,
        /// The limit.
        limit: u32,
    },
    /// The file ends before its header says.
    #[error("ends after {actual} bytes, its header promises {expected} (unpacked)")]
    Truncated {
        /// Unpacked bytes that are there.
        actual: u64,
        /// Unpacked bytes that the header promises, or the size of a header.
        expected: u64,
    },
    /// The file goes on after its header says.
    #[error("goes on after the {expected} bytes that its header promises (unpacked)")]
    Trailing {
        /// Unpacked bytes that the header promises.
        expected: u64,
    },
    /// A label that is not a digit.
    #[error("label {index} is {found}, must be 0 to 9")]
    Label {
        /// Index of the label, from 0.
        index: usize,
        /// Its value.
        found: u8,
    },
    /// Images and labels do not belong together.
    #[error("holds {labels} labels for {images} images")]
    Count {
        /// Number of labels in this file.
        labels: usize,
        /// Number of images in the file it belongs to.
        images: usize,
    },
    /// The archive ends early, or its packing is damaged.
    #[error("breaks off or is damaged after {entries} entries: {source}")]
    Archive {
        /// Entries that were read.
        entries: usize,
        /// What went wrong.
        source: io::Error,
    },
    /// The archive holds too few or too many reviews.
    #[error("{folder} holds {found} reviews, must hold {expected}")]
    Reviews {
        /// Split and sentiment.
        folder: &'static str,
        /// How many it holds.
        found: usize,
        /// How many it must hold.
        expected: usize,
    },
    /// A review's name does not give its number and a rating of its folder.
    #[error("entry {entry} must be named ID_RATING.txt, rating {lowest} to {highest}")]
    ReviewName {
        /// The entry of the archive.
        entry: String,
        /// The lowest rating of the folder.
        lowest: u8,
        /// The highest rating of the folder.
        highest: u8,
    },
    /// A review is longer than any review.
    #[error("entry {entry} has more than {limit} bytes")]
    ReviewSize {
        /// The entry of the archive.
        entry: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// No mirror gave the file: what each said.
    #[error("cannot be downloaded: {0}")]
    Download(String),
}

impl DataError {
    /// An error of `kind` about `path`.
    pub(crate) fn new(path: impl AsRef<Path>, kind: impl Into<DataErrorKind>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            kind: kind.into(),
        }
    }
}
