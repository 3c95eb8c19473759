//! An encoder that was trained before, for a network of texts to start from: a folder of Hugging
//! Face's `transformers` with `config.json`, `model.safetensors` and `tokenizer.json`.

mod vocabulary;

use std::fs;
use std::path::{Path, PathBuf};

use quintet_bundle::Import;
use quintet_bundle::text::Tokenizer;
use tch::Tensor;

use crate::error::Error;
use crate::import::huggingface::checkpoint::{Checkpoint, Files};
use crate::import::huggingface::config::Config;
use crate::import::huggingface::names::{older, theirs};
use crate::import::huggingface::tokenizer::{self, Imported};
use crate::import::huggingface::{CONFIG, MOST_CONFIG_BYTES};
use crate::import::target::read;
use crate::layers::Activation;
use crate::models::encoder::{POSITION_EMBEDDINGS, TOKEN_TYPE_EMBEDDINGS, WORD_EMBEDDINGS};
use crate::models::transformer::EncoderSize;
use crate::network::Network;
use crate::recipe::Recipe;

/// The encoder.
#[derive(Debug)]
pub struct Pretrained {
    folder: PathBuf,
    config: Config,
    tokenizer: Imported,
}

/// A checkpoint, and what its encoder is.
struct Source<'f> {
    config: &'f Config,
    checkpoint: Checkpoint<'f>,
}

impl Pretrained {
    /// Reads a folder, but for its weights.
    ///
    /// # Errors
    /// A file is missing, or says something that no Transformer of this crate can be.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(CONFIG);
        let json = read(&path, MOST_CONFIG_BYTES)?;
        let config = Config::of_encoder(&json).map_err(Error::file(&path))?;
        if config.encoder.activation != Activation::Gelu {
            let found = config.encoder.activation;
            let problem = format!("hidden_act is {found:?}; gelu is allowed to train from");
            return Err(Error::file(&path)(problem));
        }
        Ok(Self {
            tokenizer: tokenizer::import(folder, &config)?,
            folder: folder.to_owned(),
            config,
        })
    }

    /// The name of its folder.
    pub fn name(&self) -> String {
        let name = self.folder.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Checks that a network by `recipe` has its layers.
    ///
    /// # Errors
    /// The key of the recipe that differs.
    pub fn check(&self, recipe: &Recipe) -> Result<(), Error> {
        let EncoderSize {
            hidden,
            layers,
            heads,
            intermediate,
        } = recipe.encoder.unwrap_or_default();
        let theirs = &self.config.encoder;
        let settings = recipe.tokenizer();
        let tokens = settings.max_tokens as i64;
        for (key, found, needed) in [
            ("hidden", hidden, theirs.hidden),
            ("layers", layers, theirs.layers),
            ("heads", heads, theirs.heads),
            ("intermediate", intermediate, theirs.intermediate),
        ] {
            if found != needed {
                let allowed = format!("{needed}, as {} has", self.folder.display());
                return Err(Error::value(
                    &format!("recipe: encoder.{key}"),
                    found,
                    &allowed,
                ));
            }
        }
        let longest = self.config.longest();
        if settings.max_tokens > longest {
            let allowed = format!("at most {longest}, as {} reads", self.folder.display());
            return Err(Error::value(
                "recipe: tokenizer.max_tokens",
                tokens,
                &allowed,
            ));
        }
        Ok(())
    }

    /// Its tokeniser, with at most `size` tokens: those that `texts` have most often.
    ///
    /// # Errors
    /// It has more tokens and is not one of those whose vocabulary can be cut.
    pub fn tokenizer<T: AsRef<str>>(&self, texts: &[T], size: usize) -> Result<Tokenizer, Error> {
        vocabulary::cut(&self.tokenizer, texts, size)
            .map_err(Error::file(&self.folder.join("tokenizer.json")))
    }

    /// The SHA-256 of its tokeniser.
    pub fn tokenizer_sha256(&self) -> String {
        quintet_bundle::sha256_hex(&self.tokenizer.json)
    }

    /// Copies its weights to the encoder of `network`, whose words are those of `tokenizer`. The
    /// head stays as it is.
    ///
    /// # Errors
    /// The file with the weights cannot be read or does not fit `config.json`.
    pub fn load(&self, network: &Network, tokenizer: &Tokenizer) -> Result<(), Error> {
        let files = Files::read(&self.folder)?;
        let source = Source {
            config: &self.config,
            checkpoint: files.tensors()?,
        };
        let refuse = |problem| Error::file(&self.folder.join("model.safetensors"))(problem);
        for (name, weight) in network.weights() {
            if name.starts_with("classifier.") {
                continue;
            }
            let size = weight.size();
            let layer = name
                .rsplit_once('.')
                .map_or(name.as_str(), |(layer, _)| layer);
            let values = match layer {
                WORD_EMBEDDINGS => self.words(&source, tokenizer),
                POSITION_EMBEDDINGS => source.positions(size[0]),
                _ => source.tensor(&name, &size),
            };
            let values = values.map_err(refuse)?;
            // A tokeniser may have fewer tokens than the network has room for.
            let rows = values.size()[0];
            tch::no_grad(|| weight.narrow(0, 0, rows).copy_(&values));
        }
        Ok(())
    }

    /// The rows of the embedding for the tokens of `tokenizer`.
    fn words(&self, source: &Source<'_>, tokenizer: &Tokenizer) -> Result<Tensor, String> {
        let size = [self.config.encoder.vocabulary, self.config.encoder.hidden];
        let table = source.tensor(&format!("{WORD_EMBEDDINGS}.weight"), &size)?;
        let rows = vocabulary::rows(&self.tokenizer.tokenizer, tokenizer)?;
        Ok(table.index_select(0, &Tensor::from_slice(&rows)))
    }

    /// Where its weights come from.
    ///
    /// # Errors
    /// The file with the weights cannot be read.
    pub fn origin(&self) -> Result<Import, Error> {
        // The model card's metadata.
        let card = fs::read_to_string(self.folder.join("README.md")).unwrap_or_default();
        let mut metadata = card.split("---").nth(1).unwrap_or_default().lines();
        let licence = metadata.find_map(|line| line.strip_prefix("license:"));
        Ok(Import {
            source: self.name(),
            revision: String::new(),
            licence: licence.unwrap_or("unknown").trim().to_owned(),
            sha256: Files::read(&self.folder)?.sha256(),
        })
    }
}

impl Source<'_> {
    /// The tensor that is called `ours` in our encoder.
    fn tensor(&self, ours: &str, shape: &[i64]) -> Result<Tensor, String> {
        let full = theirs(self.config.family, ours);
        // A file of the encoder alone has no prefix.
        let prefix = format!("{}.", self.config.family.name());
        let short = full.strip_prefix(&prefix).map(str::to_owned);
        let names = [Some(full.clone()), short].into_iter().flatten();
        let mut names = names
            .flat_map(|it| [Some(it.clone()), older(&it)])
            .flatten();
        match names.find_map(|name| self.checkpoint.tensor(&name, shape)) {
            Some(found) => found.map(|(_, values)| values),
            None => Err(format!("lacks tensor {full}")),
        }
    }

    /// The first `count` positions. The type of a text's tokens, which is always the first one, is
    /// added to them.
    fn positions(&self, count: i64) -> Result<Tensor, String> {
        let encoder = &self.config.encoder;
        let table =
            |name: &str, rows| self.tensor(&format!("{name}.weight"), &[rows, encoder.hidden]);
        let positions = table(POSITION_EMBEDDINGS, encoder.positions)?;
        let positions = positions.narrow(0, encoder.first_position, count);
        if encoder.token_types == 0 {
            return Ok(positions);
        }
        let types = table(TOKEN_TYPE_EMBEDDINGS, encoder.token_types)?;
        Ok(positions + types.narrow(0, 0, 1))
    }
}
