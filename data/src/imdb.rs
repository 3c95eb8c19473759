//! IMDB: 25,000 + 25,000 film reviews, half of them good and half bad.
//!
//! Maas, Daly, Pham, Huang, Ng and Potts, "Learning word vectors for sentiment analysis", ACL 2011.
//! The archive is read as published, `aclImdb/{train,test}/{pos,neg}/ID_RATING.txt`; its unlabelled
//! reviews, where it has them, are ignored.

mod archive;
mod sample;

use std::path::{Path, PathBuf};

use crate::DataError;
use crate::published::{Published, PublishedFile};

pub use sample::{first_sentence, of_words, sample};

/// File name of the archive.
pub const ARCHIVE: &str = "aclImdb_v1.tar.gz";
/// The label of a bad review, rated 1 to 4 of 10.
pub const NEGATIVE: u8 = 0;
/// The label of a good review, rated 7 to 10 of 10.
pub const POSITIVE: u8 = 1;

const TAR: &str = "aclImdb_v1.tar";

/// The archive as published. It lies in `imdb/`, or in the data folder itself.
pub const PUBLISHED: Published = Published {
    folder: "imdb",
    is_shared: true,
    mirrors: &["https://ai.stanford.edu/~amaas/data/sentiment/"],
    suffix: ".gz",
    files: &[PublishedFile {
        name: TAR,
        bytes: 84_125_825,
        sha256: "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
        is_of_packed: true,
    }],
};

/// Reviews of each sentiment in each split.
const PER_FOLDER: usize = 12_500;

/// Reviews and their labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reviews {
    /// The texts, with `<br />` where a line ended.
    pub texts: Vec<String>,
    /// [`NEGATIVE`] or [`POSITIVE`], one for each text.
    pub labels: Vec<u8>,
}

/// Both splits. No film has reviews in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imdb {
    /// Reviews to learn from.
    pub train: Reviews,
    /// Reviews to measure with.
    pub test: Reviews,
}

/// Reads both splits from `data_dir/imdb/` or `data_dir/`, packed (`.gz`) or not.
///
/// `progress` is told how many bytes of the archive have been read, and how many it has. The
/// reviews come in the order of their labels and numbers, whatever the order of the archive. Bytes
/// that are not UTF-8 become U+FFFD. An archive that breaks off or lacks reviews is an error.
pub fn load(data_dir: &Path, progress: impl FnMut(u64, u64)) -> Result<Imdb, DataError> {
    let path = find(data_dir)?;
    archive::read(&path, PER_FOLDER, progress).map_err(|kind| DataError::new(path, kind))
}

/// Where the archive is that [`load`] reads.
pub fn find(data_dir: &Path) -> Result<PathBuf, DataError> {
    PUBLISHED.find(data_dir, TAR)
}

impl Reviews {
    /// Number of reviews.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no review.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}
