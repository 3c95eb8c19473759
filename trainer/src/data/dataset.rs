//! The data sets that networks learn from, and how they are read.

use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use quintet_bundle::text::{Tokenizer, TokenizerError};
use quintet_data::imdb::{self, Imdb};
use quintet_data::mnist::{self, Split};
use quintet_data::{DataError, Progress as DownloadProgress};
use tch::Device;
use thiserror::Error;

use super::Samples;
use crate::models::sentiment::VOCABULARY;

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
    /// are downloaded there.
    ///
    /// The tokeniser learns its words from the reviews to learn from only.
    pub fn load(self, data_dir: &Path, device: Device) -> Result<Loaded, DatasetError> {
        match self {
            Self::Mnist => {
                mnist::ensure(data_dir, DownloadProgress::Bar)?;
                let train = Samples::from_digits(&mnist::load(data_dir, Split::Train)?, device);
                let test = mnist::load(data_dir, Split::Test)?;
                Ok(Loaded {
                    dataset: self,
                    train,
                    test: Samples::from_digits(&test, Device::Cpu),
                    tokenizer: None,
                })
            }
            Self::Imdb => {
                let Imdb { train, test } = read_reviews(data_dir)?;
                let tokenizer = Tokenizer::train(&train.texts, VOCABULARY as usize)?;
                let samples = |reviews: &imdb::Reviews, device| {
                    Samples::from_texts(&tokenizer, &reviews.texts, &reviews.labels, device)
                };
                Ok(Loaded {
                    dataset: self,
                    train: samples(&train, device)?,
                    test: samples(&test, Device::Cpu)?,
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
    ) -> Result<Samples, DatasetError> {
        match (self, tokenizer) {
            (Self::Imdb, Some(tokenizer)) => {
                let test = read_reviews(data_dir)?.test;
                let samples =
                    Samples::from_texts(tokenizer, &test.texts, &test.labels, Device::Cpu)?;
                Ok(samples)
            }
            _ => Ok(self.load(data_dir, Device::Cpu)?.test),
        }
    }
}

// Unpacking takes seconds, so a terminal sees how far it is.
fn read_reviews(data_dir: &Path) -> Result<Imdb, DataError> {
    let style = ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes}")
        .expect("the template is well-formed");
    let target = ProgressDrawTarget::stderr();
    let bar = ProgressBar::with_draw_target(None, target)
        .with_style(style.progress_chars("━╸ "))
        .with_message(imdb::ARCHIVE);
    let imdb = imdb::load(data_dir, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    imdb
}
