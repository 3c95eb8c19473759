//! The data sets that networks learn from, and how they are read.

use std::path::Path;

use quintet_bundle::text::{TOKENIZER_FILE, Tokenizer, TokenizerError};
use quintet_data::mnist::{self, Split};
use quintet_data::{DataError, Progress as DownloadProgress};
use tch::Device;
use thiserror::Error;

use super::Samples;
use super::tokenised::{CacheError, Tokenised, TokenisedReviews, read_archive};
use crate::progress::Progress;

/// A data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dataset {
    /// Handwritten digits.
    Mnist,
    /// Film reviews.
    Imdb,
}

/// A data set that has been read.
#[derive(Debug)]
pub struct Loaded {
    /// Which one it is.
    pub dataset: Dataset,
    /// What to learn from, on the device asked for.
    pub train: Samples,
    /// What to judge by, on the CPU.
    pub test: Samples,
    /// What made the texts into tokens.
    pub tokenizer: Option<Tokenizer>,
}

/// Why a data set cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The files cannot be read or downloaded.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The texts cannot be made into tokens.
    #[error("tokeniser: {0}")]
    Tokenizer(#[from] TokenizerError),
    /// A bundle that reads texts does not say how they become tokens.
    #[error("the bundle has no {TOKENIZER_FILE}, which a network that reads texts needs")]
    NoTokenizer,
    /// It cannot be told what the cache must have been made from.
    #[error("cache of the reviews: {0}")]
    Cache(#[from] CacheError),
}

// === impl Dataset ===

impl Dataset {
    /// Its name in manifests and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mnist => "MNIST",
            Self::Imdb => "IMDB",
        }
    }

    /// The names of its classes, in the order of their numbers.
    pub const fn labels(self) -> &'static [&'static str] {
        match self {
            Self::Mnist => &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
            Self::Imdb => &["NEGATIVE", "POSITIVE"],
        }
    }

    /// What one sample is called.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Mnist => "images",
            Self::Imdb => "reviews",
        }
    }

    /// Reads both parts from `data_dir`, the part to learn from onto `device`. MNIST's missing files
    /// are downloaded there; reviews as tokens are kept in `cache` for the next time.
    ///
    /// The tokeniser learns its words from the reviews to learn from only.
    pub fn load(
        self,
        data_dir: &Path,
        cache: &Path,
        device: Device,
        progress: Progress,
    ) -> Result<Loaded, DatasetError> {
        match self {
            Self::Mnist => {
                mnist::ensure(data_dir, DownloadProgress::Bar)?;
                let train = Samples::from_digits(&mnist::load(data_dir, Split::Train)?, device);
                Ok(Loaded {
                    dataset: self,
                    train,
                    test: test_digits(data_dir)?,
                    tokenizer: None,
                })
            }
            Self::Imdb => {
                let Tokenised {
                    train,
                    test,
                    tokenizer,
                } = Tokenised::load(data_dir, cache, progress)?;
                Ok(Loaded {
                    dataset: self,
                    train: Samples::from_texts(train.texts.to_device(device), &train.labels),
                    test: Samples::from_texts(test.texts, &test.labels),
                    tokenizer: Some(tokenizer),
                })
            }
        }
    }

    /// Reads the part to judge by, onto the CPU. Texts need the tokeniser of the network that is
    /// judged.
    pub fn load_test(
        self,
        data_dir: &Path,
        tokenizer: Option<&Tokenizer>,
        progress: Progress,
    ) -> Result<Samples, DatasetError> {
        match (self, tokenizer) {
            (Self::Imdb, Some(tokenizer)) => {
                let test = read_archive(data_dir, progress)?.test;
                let test = TokenisedReviews::encode(tokenizer, &test)?;
                Ok(Samples::from_texts(test.texts, &test.labels))
            }
            (Self::Imdb, None) => Err(DatasetError::NoTokenizer),
            (Self::Mnist, _) => {
                mnist::ensure(data_dir, DownloadProgress::Bar)?;
                Ok(test_digits(data_dir)?)
            }
        }
    }
}

fn test_digits(data_dir: &Path) -> Result<Samples, DataError> {
    let test = mnist::load(data_dir, Split::Test)?;
    Ok(Samples::from_digits(&test, Device::Cpu))
}
