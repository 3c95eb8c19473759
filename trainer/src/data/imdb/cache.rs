//! The file that keeps the tokens for the next run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use quintet_bundle::text::Tokenizer;
use tch::{Kind, Tensor};

use super::{Part, Tokenised};
use crate::checkpoint::Checkpoint;
use crate::data::dataset::Source;
use crate::data::text::{Frame, Texts, TokenizerSettings};
use crate::error::Error;

// Raised when the layout of the file changes, or how texts are cleaned.
const FORMAT: u32 = 3;

/// The file, and what it must have been computed from.
#[derive(Debug)]
pub(super) struct Cache {
    path: PathBuf,
    settings: TokenizerSettings,
    key: String,
}

impl Cache {
    /// The cache of what `archive` gives for `source`.
    ///
    /// Size and time identify the archive; a tokeniser of one word shows how words are found.
    pub(super) fn new(source: &Source<'_>, archive: &Path) -> Result<Self, Error> {
        let settings = source.tokenizer;
        let metadata = fs::metadata(archive).map_err(Error::file(archive))?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH);
        let modified = modified.unwrap_or_default().as_nanos();
        let name = match source.pretrained {
            Some(encoder) => format!("imdb-{}.safetensors", encoder.name()),
            None => "imdb.safetensors".to_owned(),
        };
        let rules = match source.pretrained {
            Some(encoder) => encoder.tokenizer_sha256(),
            None => {
                String::from_utf8_lossy(&Tokenizer::train(["word"], 4)?.to_bytes()?).into_owned()
            }
        };
        let key = format!(
            "format {FORMAT}, {} bytes of {modified}, {} words by {rules}",
            metadata.len(),
            settings.vocabulary_size,
        );
        Ok(Self {
            path: source.cache.join(name),
            settings,
            key,
        })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is in the file; nothing if there is no file.
    pub(super) fn read(&self) -> Result<Option<Tokenised>, Error> {
        if !self.path.exists() {
            return Ok(None);
        }
        let file = Checkpoint::read(&self.path)?;
        let bytes = |name| Ok::<_, Error>(Vec::<u8>::try_from(tensor(&file, name, Kind::Uint8)?)?);
        if bytes("key")? != self.key.as_bytes() {
            return Err(Error::Other(
                "it was made of another archive, or in another way".into(),
            ));
        }
        let tokenizer = Tokenizer::from_bytes(&bytes("tokenizer")?)?;
        let frame = Frame::of(&tokenizer)?;
        Ok(Some(Tokenised {
            train: self.part(&file, "train", &frame)?,
            test: self.part(&file, "test", &frame)?,
            tokenizer,
        }))
    }

    // One split. Its values are checked, since a wrong one would end the run much later.
    fn part(&self, file: &Checkpoint, part: &str, frame: &Frame) -> Result<Part, Error> {
        let find = |name: &str, kind| tensor(file, &format!("{part}.{name}"), kind);
        let wrong = |name: &str| wrong(&format!("{part}.{name}"));
        let check = |name, is_right: bool| is_right.then_some(()).ok_or_else(|| wrong(name));
        let (tokens, lengths) = (find("tokens", Kind::Int)?, find("lengths", Kind::Int64)?);
        let labels = find("labels", Kind::Int64)?;
        let words = self.settings.vocabulary_size as i64;
        check("tokens", is_within(tokens, 0, words - 1))?;
        let all = lengths.sum(Kind::Int64).int64_value(&[]);
        let is_whole = is_within(lengths, 1, i64::MAX) && all == tokens.numel() as i64;
        check("lengths", is_whole)?;
        check(
            "labels",
            labels.numel() == lengths.numel() && is_within(labels, 0, 1),
        )?;
        let (tokens, lengths) = (tokens.shallow_clone(), lengths.shallow_clone());
        Ok(Part {
            texts: Texts::new(tokens, lengths, self.settings.max_tokens, frame.clone()),
            labels: labels.shallow_clone(),
        })
    }

    /// Writes the file. Two trainers may do so at once.
    pub(super) fn write(&self, tokenised: &Tokenised) -> Result<(), Error> {
        let mut file = Checkpoint::default();
        file.insert_tensor("key", Tensor::from_slice(self.key.as_bytes()));
        let tokenizer = tokenised.tokenizer.to_bytes()?;
        file.insert_tensor("tokenizer", Tensor::from_slice(&tokenizer));
        for (name, Part { texts, labels }) in
            [("train", &tokenised.train), ("test", &tokenised.test)]
        {
            let (tokens, lengths) = (&texts.tokens, &texts.lengths);
            let tensors = [("tokens", tokens), ("lengths", lengths), ("labels", labels)];
            file.insert(
                name,
                tensors.map(|(name, it)| (name.to_owned(), it.shallow_clone())),
            );
        }
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(Error::file(folder))?;
        }
        file.write(&self.path)
    }
}

// A tensor of one axis.
fn tensor<'a>(file: &'a Checkpoint, name: &str, kind: Kind) -> Result<&'a Tensor, Error> {
    file.tensor(name)
        .filter(|it| it.kind() == kind && it.dim() == 1)
        .ok_or_else(|| wrong(name))
}

fn wrong(name: &str) -> Error {
    Error::Other(format!("its {name} is absent or wrong").into())
}

fn is_within(tensor: &Tensor, least: i64, most: i64) -> bool {
    tensor.numel() > 0
        && tensor.min().int64_value(&[]) >= least
        && tensor.max().int64_value(&[]) <= most
}

#[cfg(test)]
mod tests;
