//! Tokens that are read from texts as they are, and special tokens.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::agreement::Reading;
use super::settings::{Settings, TOKENIZER_CONFIG};
use crate::error::Error;
use crate::import::MAX_TOKENIZER_BYTES;
use crate::import::target::{self, is_there, read};

pub(super) const ADDED_TOKENS: &str = "added_tokens.json";

/// How a token is looked for in a text.
const FLAGS: [&str; 4] = ["single_word", "lstrip", "rstrip", "normalized"];

/// The tokens that a file beside `tokenizer.json` adds to it.
#[derive(Debug)]
pub(super) struct Named {
    /// The name of that file.
    pub(super) file: &'static str,
    /// Their numbers, and what it says of them.
    tokens: Vec<(String, Value)>,
    /// Whether `tokenizer_config.json` lists all.
    is_whole: bool,
}

impl Named {
    /// Those of a folder.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn read(folder: &Path, settings: &Settings) -> Result<Self, Error> {
        if let Some(tokens) = &settings.added_tokens_decoder {
            let tokens = tokens
                .iter()
                .map(|(number, it)| (number.clone(), it.clone()));
            return Ok(Self {
                file: TOKENIZER_CONFIG,
                tokens: tokens.collect(),
                is_whole: true,
            });
        }
        // `transformers` reads this one only without the key.
        let path = folder.join(ADDED_TOKENS);
        let mut tokens: BTreeMap<String, i64> = BTreeMap::new();
        if is_there(&path) {
            tokens =
                target::json(&read(&path, MAX_TOKENIZER_BYTES)?).map_err(Error::file(&path))?;
        }
        let token = |(name, number): (String, i64)| (number.to_string(), json!({"content": name}));
        Ok(Self {
            file: ADDED_TOKENS,
            tokens: tokens.into_iter().map(token).collect(),
            is_whole: false,
        })
    }

    /// Refuses tokens that `transformers` would look for in texts otherwise than `tokenizer.json`.
    ///
    /// # Errors
    /// A token that only one of the files has, or that they say different things of.
    pub(super) fn check(&self, file: &Value, reading: Reading<'_>) -> Result<(), String> {
        let Reading { class, version, .. } = reading;
        let of_class = class.special_tokens(reading.settings);
        // Special tokens are not read from texts, so these may be in the vocabulary alone.
        let is_special =
            |token: &Value| token["special"] == true || of_class.contains(&token["content"]);
        let added = || file["added_tokens"].as_array().into_iter().flatten();
        for (number, token) in &self.tokens {
            let name = token["content"].as_str().unwrap_or_default();
            let Some(ours) = added().find(|it| it["content"] == name) else {
                if is_special(token) && number_of(file, name).is_some() {
                    continue;
                }
                return Err(format!(
                    "adds the token `{name}` as {number}, which added_tokens of tokenizer.json has \
                     not; tokens that it has are allowed"
                ));
            };
            if !self.is_whole || is_special(token) && is_special(ours) {
                continue;
            }
            for key in FLAGS.into_iter().chain(["special"]) {
                let (found, said) = (&ours[key], &token[key]);
                // An absent flag is that of `transformers`.
                if !said.is_null() && !found.is_null() && found != said {
                    return Err(format!(
                        "{key} of the token `{name}` is {said}; added_tokens of tokenizer.json has \
                         {found}, and both must be equal"
                    ));
                }
            }
        }
        let has = |name: &Value| self.tokens.iter().any(|(_, it)| it["content"] == *name);
        let is_lost = |token: &&Value| !is_special(token) && !has(&token["content"]);
        match added().find(is_lost) {
            Some(token) if self.is_whole && class.rebuilds(version) => Err(format!(
                "added_tokens_decoder lacks the token {} of tokenizer.json; tokenizer_class {} \
                 reads those of added_tokens_decoder alone",
                token["content"], class.name
            )),
            _ => Ok(()),
        }
    }
}

/// The number of a token.
pub(super) fn number_of(file: &Value, name: &str) -> Option<i64> {
    let vocabulary = &file["model"]["vocab"];
    let pieces = vocabulary.as_array().into_iter().flatten();
    let piece = || pieces.clone().position(|piece| piece[0] == name);
    let added = file["added_tokens"].as_array().into_iter().flatten();
    let mut added = added.filter(|it| it["content"] == name);
    let number = vocabulary.get(name).and_then(Value::as_i64);
    let number = number.or_else(|| piece()?.try_into().ok());
    number.or_else(|| added.next()?["id"].as_i64())
}

/// The special tokens that a model has beside those of BERT and RoBERTa, such as marks of entities.
pub(super) fn own_special_tokens(file: &Value) -> Vec<&str> {
    const USUAL: [&str; 10] = [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<s>", "<pad>", "</s>", "<unk>", "<mask>",
    ];
    let added = file["added_tokens"].as_array().into_iter().flatten();
    let special = added.filter(|token| token["special"] == true);
    let names = special.filter_map(|token| token["content"].as_str());
    names.filter(|name| !USUAL.contains(name)).collect()
}
