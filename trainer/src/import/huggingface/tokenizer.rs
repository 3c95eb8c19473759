//! `tokenizer.json` and `tokenizer_config.json`: from texts to tokens.

use std::path::Path;

use quintet_bundle::text::{Pairs, TextSpec, Tokenizer};
use serde_json::Value;

use super::CONFIG;
use super::added_tokens::{Named, own_special_tokens};
use super::agreement::Reading;
use super::classes::{Class, Version};
use super::config::{Config, Family};
use super::padding::check_pad_token;
use super::settings::{Settings, TOKENIZER_CONFIG};
use crate::error::Error;
use crate::import::MAX_TOKENIZER_BYTES;
use crate::import::added::{Added, check_dropout, clear_types};
use crate::import::target::{is_there, json, read};
use crate::progress;

const TOKENIZER: &str = "tokenizer.json";

/// A tokeniser as it goes into the bundle.
#[derive(Debug)]
pub(crate) struct Imported {
    /// Reads texts.
    pub(crate) tokenizer: Tokenizer,
    /// How.
    pub(super) spec: TextSpec,
    /// The bundle's `tokenizer.json`.
    pub(crate) json: Vec<u8>,
    /// Whether the network gets the type of each token.
    pub(super) has_token_types: bool,
}

/// Reads the tokeniser of a folder and checks that it fits the network.
pub(crate) fn import(folder: &Path, config: &Config) -> Result<Imported, Error> {
    let path = folder.join(TOKENIZER);
    let settings = Settings::read(folder)?;
    if !is_there(&path) {
        return Err(Error::file(&path)(
            "is missing; `AutoTokenizer.from_pretrained(FOLDER).save_pretrained(OTHER)` of \
             transformers writes it",
        ));
    }
    let bytes = read(&path, MAX_TOKENIZER_BYTES)?;
    let mut file: Value = json(&bytes).map_err(Error::file(&path))?;
    let refuse = |problem: String| Error::file(&path)(problem);
    let class = Class::of(&settings, config);
    let class = class.map_err(|(file, problem)| Error::file(&folder.join(file))(problem))?;
    let saved = Version::of(&settings, config);
    let version = saved.unwrap_or(Version::Five);
    let reading = |version| Reading::of(class, version, &settings, config);
    let (reading, other) = (reading(version), reading(version.other()));
    reading.check(&file).map_err(refuse)?;
    let named = Named::read(folder, &settings)?;
    let added = named.check(&file, reading);
    added.map_err(Error::file(&folder.join(named.file)))?;
    check_dropout(&file).map_err(refuse)?;
    check_types(&file, config).map_err(refuse)?;
    if saved != Some(Version::Five) {
        reading.note_difference(other, saved, &file);
    }
    let has_types = reading.has_types;
    if let own @ [_, ..] = &own_special_tokens(&file)[..] {
        progress::line(&format!(
            "note: the special tokens {} are read as any other text",
            own.join(", ")
        ));
    }
    // The file's own truncation says which end is cut, and is taken away then.
    let spec = spec(config, &settings, &file);
    let spec = spec.map_err(Error::file(&folder.join(TOKENIZER_CONFIG)))?;
    adapt(&mut file, has_types);
    let added = Added::of(&file);
    if has_types {
        added
            .check_types(config.encoder.token_types)
            .map_err(refuse)?;
    }
    let json = serde_json::to_vec(&file).map_err(Error::file(&path))?;
    let tokenizer = Tokenizer::from_bytes(&json).map_err(Error::file(&path))?;

    let (tokens, rows) = (tokenizer.vocabulary_size(), config.encoder.vocabulary);
    if tokens as i64 > rows {
        let last = tokens - 1;
        return Err(refuse(format!(
            "has tokens up to {last}; the network has an embedding of {rows}, for 0 to {}",
            rows - 1
        )));
    }
    let holder = format!("the network has an embedding of {rows}");
    added.check_tokens(rows, &holder).map_err(refuse)?;
    check_padding(&tokenizer, &settings, config).map_err(refuse)?;
    if config.family == Family::Roberta {
        check_pad_token(&file, &added, &tokenizer, &spec)
            .map_err(Error::file(&folder.join(CONFIG)))?;
    }
    let empty = tokenizer.encode("", &spec).map_err(|_| {
        refuse("adds no special tokens (post_processor); these networks need them".to_owned())
    })?;
    if empty.tokens.len() >= spec.max_tokens {
        let (special, most) = (empty.tokens.len(), spec.max_tokens);
        return Err(refuse(format!(
            "adds {special} special tokens; the network reads {most}, which leaves none for a text"
        )));
    }
    let single = tokenizer.encode("a", &spec);
    let is_typed = single.is_ok_and(|it| !it.token_type_ids.is_empty());
    let has_token_types =
        added.types.iter().any(|it| *it != 0) && (is_typed || tokenizer.pairs() != Pairs::None);
    Ok(Imported {
        has_token_types: has_types && has_token_types,
        tokenizer,
        spec,
        json,
    })
}

/// RoBERTa counts positions by the tokens that are no padding, so both files must mean the same.
fn check_padding(
    tokenizer: &Tokenizer,
    settings: &Settings,
    config: &Config,
) -> Result<(), String> {
    let named = settings.token("pad_token", Value::Null);
    let named = named.as_str().unwrap_or("<pad>");
    match tokenizer.token(named) {
        Some(number) if config.family == Family::Roberta && number != config.pad_token_id => {
            Err(format!(
                "has the token `{named}` for padding as {number}; pad_token_id of {CONFIG} is {}, \
                 and the network would count positions by it",
                config.pad_token_id
            ))
        }
        _ => Ok(()),
    }
}

/// A network of RoBERTa's family gets type 0 for all tokens.
fn check_types(file: &Value, config: &Config) -> Result<(), String> {
    let types = &file["post_processor"];
    let mut cleared = types.clone();
    clear_types(&mut cleared);
    if config.ignores_token_types() && cleared != *types {
        return Err(
            "gives the second of two texts a type of its own (post_processor), and the network has \
             more than one type; types are only read of BERT's family"
                .to_owned(),
        );
    }
    Ok(())
}

/// Leaves truncation and padding to the bundle's manifest, and takes away the types where the
/// network gets none.
fn adapt(file: &mut Value, has_types: bool) {
    if let Some(file) = file.as_object_mut() {
        file.insert("truncation".to_owned(), Value::Null);
        file.insert("padding".to_owned(), Value::Null);
        if let Some(post_processor) = file.get_mut("post_processor")
            && !has_types
        {
            clear_types(post_processor);
        }
    }
}

fn spec(config: &Config, settings: &Settings, file: &Value) -> Result<TextSpec, String> {
    let longest = config.longest();
    Ok(TextSpec {
        max_tokens: settings.limit()?.map_or(longest, |it| it.min(longest)),
        truncation_side: settings.truncation_side(file)?,
        add_special_tokens: true,
        pad_token_id: config.pad_token_id,
        clean_text: false,
    })
}

#[cfg(test)]
mod tests;
