//! The file in which tokens wait for the next run.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use quintet_bundle::text::{Tokenizer, TokenizerError};
use tch::{Kind, TchError, Tensor};
use thiserror::Error;

use super::{Tokenised, TokenisedReviews};
use crate::data::reviews::Texts;
use crate::models::sentiment::VOCABULARY;

const FILE: &str = "imdb.safetensors";
// Counts up when the file is laid out in another way.
const FORMAT: u32 = 1;

/// The file, and what it must have been made from.
#[derive(Debug)]
pub(super) struct Cache {
    path: PathBuf,
    key: String,
}

/// Why a cache cannot be used or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Not safetensors, or cut off.
    #[error("{0}")]
    Format(#[from] TchError),
    /// It was made from something else.
    #[error("it was made of another archive, or in another way")]
    Stale,
    /// A tensor is not there or not what it should be.
    #[error("its {0} is absent or wrong")]
    Content(
        /// Its name.
        String,
    ),
    /// The tokeniser is none.
    #[error("{0}")]
    Tokenizer(#[from] TokenizerError),
}

// === impl Cache ===

impl Cache {
    /// The cache in `folder` for what is made of `archive`.
    ///
    /// Size and time tell one archive from another; a tokeniser of one word tells how words are
    /// found.
    pub(super) fn new(folder: &Path, archive: &Path) -> Result<Self, CacheError> {
        let facts = fs::metadata(archive)?;
        let modified = facts.modified()?.duration_since(UNIX_EPOCH);
        let modified = modified.unwrap_or_default().as_nanos();
        let rules = Tokenizer::train(["word"], 4)?.to_bytes()?;
        let key = format!(
            "format {FORMAT}, {} bytes of {modified}, {VOCABULARY} words by {}",
            facts.len(),
            String::from_utf8_lossy(&rules),
        );
        Ok(Self {
            path: folder.join(FILE),
            key,
        })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is in the file; nothing if there is no file.
    pub(super) fn read(&self) -> Result<Option<Tokenised>, CacheError> {
        if !self.path.try_exists()? {
            return Ok(None);
        }
        let tensors: BTreeMap<String, Tensor> =
            Tensor::read_safetensors(&self.path)?.into_iter().collect();
        let bytes = |name: &str| -> Result<Vec<u8>, CacheError> {
            let tensor = tensor(&tensors, name, Kind::Uint8)?;
            Ok(Vec::try_from(tensor)?)
        };
        if bytes("key")? != self.key.as_bytes() {
            return Err(CacheError::Stale);
        }
        Ok(Some(Tokenised {
            train: part(&tensors, "train")?,
            test: part(&tensors, "test")?,
            tokenizer: Tokenizer::from_bytes(&bytes("tokenizer")?)?,
        }))
    }

    /// Writes the file beside its place and moves it there. Two trainers may do so at once.
    pub(super) fn write(&self, tokenised: &Tokenised) -> Result<(), CacheError> {
        let bytes = |bytes: &[u8]| Tensor::from_slice(bytes);
        let mut tensors = vec![
            ("key".to_owned(), bytes(self.key.as_bytes())),
            (
                "tokenizer".to_owned(),
                bytes(&tokenised.tokenizer.to_bytes()?),
            ),
        ];
        for (name, part) in [("train", &tokenised.train), ("test", &tokenised.test)] {
            let TokenisedReviews { texts, labels } = part;
            tensors.push((format!("{name}.tokens"), texts.tokens.shallow_clone()));
            tensors.push((format!("{name}.lengths"), texts.lengths.shallow_clone()));
            tensors.push((format!("{name}.labels"), bytes(labels)));
        }
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let temporary = self
            .path
            .with_extension(format!("{}.tmp", std::process::id()));
        let written = Tensor::write_safetensors(&tensors, &temporary)
            .map_err(CacheError::from)
            .and_then(|()| Ok(fs::rename(&temporary, &self.path)?));
        if written.is_err() {
            // What went wrong is said already.
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// One part of the reviews, proved to be usable: a wrong number would end the run much later.
fn part(tensors: &BTreeMap<String, Tensor>, part: &str) -> Result<TokenisedReviews, CacheError> {
    let name = |what: &str| format!("{part}.{what}");
    let tokens = tensor(tensors, &name("tokens"), Kind::Int)?;
    let lengths = tensor(tensors, &name("lengths"), Kind::Int64)?;
    let labels: Vec<u8> = Vec::try_from(tensor(tensors, &name("labels"), Kind::Uint8)?)?;
    check(&name("tokens"), is_within(tokens, 0, VOCABULARY - 1))?;
    let is_whole = is_within(lengths, 1, i64::MAX)
        && lengths.sum(Kind::Int64).int64_value(&[]) == tokens.numel() as i64;
    check(&name("lengths"), is_whole)?;
    let is_one_each = labels.len() == lengths.numel();
    check(
        &name("labels"),
        is_one_each && labels.iter().all(|&label| label < 2),
    )?;
    let texts = Texts::new(tokens.shallow_clone(), lengths.shallow_clone());
    Ok(TokenisedReviews { texts, labels })
}

/// A tensor of one axis.
fn tensor<'a>(
    tensors: &'a BTreeMap<String, Tensor>,
    name: &str,
    kind: Kind,
) -> Result<&'a Tensor, CacheError> {
    let found = tensors.get(name);
    found
        .filter(|it| it.kind() == kind && it.dim() == 1)
        .ok_or_else(|| CacheError::Content(name.to_owned()))
}

fn is_within(tensor: &Tensor, least: i64, most: i64) -> bool {
    tensor.numel() > 0
        && tensor.min().int64_value(&[]) >= least
        && tensor.max().int64_value(&[]) <= most
}

fn check(name: &str, is_right: bool) -> Result<(), CacheError> {
    if is_right {
        Ok(())
    } else {
        Err(CacheError::Content(name.to_owned()))
    }
}

#[cfg(test)]
mod tests;
