//! The reviews of the archive as tokens, made once and kept for the next run.

mod cache;

use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use quintet_bundle::text::{Tokenizer, TokenizerError};
use quintet_data::DataError;
use quintet_data::imdb::{self, Imdb, Reviews};

use super::dataset::DatasetError;
use super::reviews::Texts;
use crate::models::sentiment::VOCABULARY;
use crate::progress::Progress;

pub use cache::CacheError;

use cache::Cache;

/// Reviews as tokens, on the CPU.
#[derive(Debug)]
pub struct TokenisedReviews {
    /// All tokens of each review.
    pub texts: Texts,
    /// The class of each, from 0.
    pub labels: Vec<u8>,
}

/// Both parts of the reviews, and what made them into tokens.
#[derive(Debug)]
pub struct Tokenised {
    /// What to learn from.
    pub train: TokenisedReviews,
    /// What to judge by.
    pub test: TokenisedReviews,
    /// Learned from the words of `train` only.
    pub tokenizer: Tokenizer,
}

/// Reads the archive in `data_dir`, which takes seconds, so a terminal sees how far it is.
pub fn read_archive(data_dir: &Path, progress: Progress) -> Result<Imdb, DataError> {
    let style = ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes}")
        .expect("the template is well-formed");
    let target = match progress {
        Progress::Bar => ProgressDrawTarget::stderr(),
        Progress::Lines | Progress::Silent => ProgressDrawTarget::hidden(),
    };
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

// === impl TokenisedReviews ===

impl TokenisedReviews {
    /// Encodes `reviews`.
    pub fn encode(tokenizer: &Tokenizer, reviews: &Reviews) -> Result<Self, TokenizerError> {
        Ok(Self {
            texts: Texts::encode(tokenizer, &reviews.texts)?,
            labels: reviews.labels.clone(),
        })
    }
}

// === impl Tokenised ===

impl Tokenised {
    /// The reviews of the archive in `data_dir`; from the folder `cache` if an earlier run left
    /// there what it made of the same archive in the same way, otherwise made and left there.
    ///
    /// A cache that cannot be used or written is said, and is no error.
    pub fn load(data_dir: &Path, cache: &Path, progress: Progress) -> Result<Self, DatasetError> {
        let cache = Cache::new(cache, &imdb::find(data_dir)?)?;
        let shown = cache.path().display().to_string();
        match cache.read() {
            Ok(Some(tokenised)) => {
                progress.line(&format!("reviews as tokens: {shown}"));
                return Ok(tokenised);
            }
            Ok(None) => {}
            Err(reason) => progress.line(&format!("{shown} is not used and made anew: {reason}")),
        }
        let imdb = read_archive(data_dir, progress)?;
        progress.line("making tokens of the reviews");
        let tokenised = Self::of(&imdb)?;
        if let Err(reason) = cache.write(&tokenised) {
            progress.line(&format!("{shown} cannot be kept: {reason}"));
        }
        Ok(tokenised)
    }

    fn of(Imdb { train, test }: &Imdb) -> Result<Self, TokenizerError> {
        let tokenizer = Tokenizer::train(&train.texts, VOCABULARY as usize)?;
        Ok(Self {
            train: TokenisedReviews::encode(&tokenizer, train)?,
            test: TokenisedReviews::encode(&tokenizer, test)?,
            tokenizer,
        })
    }
}
