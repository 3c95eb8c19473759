//! `tokenizer.json` and `tokenizer_config.json`: from texts to tokens.

use std::collections::BTreeMap;
use std::path::Path;

use quintet_bundle::text::{Pairs, Side, TextSpec, Tokenizer};
use serde::Deserialize;
use serde_json::Value;

use super::CONFIG;
use super::agreement::{check_added_tokens, check_agreement, check_class, own_special_tokens};
use super::config::{Config, Family};
use super::padding::check_pad_token;
use crate::error::Error;
use crate::import::MAX_TOKENIZER_BYTES;
use crate::import::added::{Added, check_dropout, clear_types};
use crate::import::target::{is_there, json, read};
use crate::progress;

/// Classes of `transformers` that give types to a network where the files do not say otherwise. All
/// others give none, `PreTrainedTokenizerFast` and `TokenizersBackend` among them.
pub(super) const TYPED: [&str; 8] = [
    "BertTokenizer",
    "ConvBertTokenizer",
    "DPRQuestionEncoderTokenizer",
    "ElectraTokenizer",
    "LayoutLMTokenizer",
    "LxmertTokenizer",
    "MobileBertTokenizer",
    "SqueezeBertTokenizer",
];

const TOKENIZER: &str = "tokenizer.json";
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const ADDED_TOKENS: &str = "added_tokens.json";

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

/// A token that another file than `tokenizer.json` names.
#[derive(Debug)]
pub(super) struct NamedToken {
    pub(super) name: String,
    pub(super) number: String,
    /// Whether it is never read from a text.
    pub(super) is_special: bool,
}

/// The keys that matter.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Settings {
    // 1e30 stands for no limit.
    model_max_length: Option<f64>,
    truncation_side: Option<String>,
    tokenizer_class: Option<String>,
    model_input_names: Option<Vec<String>>,
    pad_token: Option<Value>,
    added_tokens_decoder: Option<BTreeMap<String, Value>>,
    pub(super) do_lower_case: Option<bool>,
    pub(super) strip_accents: Option<bool>,
    pub(super) tokenize_chinese_chars: Option<bool>,
    pub(super) add_prefix_space: Option<bool>,
}

/// Reads the tokeniser of a folder and checks that it fits the network.
pub(crate) fn import(folder: &Path, config: &Config) -> Result<Imported, Error> {
    let path = folder.join(TOKENIZER);
    let settings = settings(&folder.join(TOKENIZER_CONFIG))?;
    if !is_there(&path) {
        return Err(Error::file(&path)(
            "is missing; `AutoTokenizer.from_pretrained(FOLDER).save_pretrained(OTHER)` of \
             transformers writes it",
        ));
    }
    let bytes = read(&path, MAX_TOKENIZER_BYTES)?;
    let mut file: Value = json(&bytes).map_err(Error::file(&path))?;
    let refuse = |problem: String| Error::file(&path)(problem);
    if let Some(class) = class_of(&settings, config) {
        check_class(&file, class).map_err(refuse)?;
    }
    check_agreement(&file, &settings).map_err(refuse)?;
    let (named_by, named) = named_tokens(folder, &settings)?;
    check_added_tokens(&file, &named).map_err(Error::file(&folder.join(named_by)))?;
    check_dropout(&file).map_err(refuse)?;
    check_types(&file, config).map_err(refuse)?;
    let has_types = config.has_token_types() && passes_types(&settings, config);
    if let own @ [_, ..] = &own_special_tokens(&file)[..] {
        progress::line(&format!(
            "note: the special tokens {} are read as any other text",
            own.join(", ")
        ));
    }
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
    let spec = spec(config, &settings).map_err(Error::file(&folder.join(TOKENIZER_CONFIG)))?;
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

/// Whether `transformers` gives the types that its tokeniser makes to the network.
fn passes_types(settings: &Settings, config: &Config) -> bool {
    if let Some(names) = &settings.model_input_names {
        return names.iter().any(|it| it == "token_type_ids");
    }
    // Without a class, the tokeniser is that of the family.
    class_of(settings, config).is_none_or(|class| TYPED.contains(&class))
}

/// The class of the tokeniser where the files name one, without `Fast`, which changes nothing.
fn class_of<'s>(settings: &'s Settings, config: &'s Config) -> Option<&'s str> {
    let of_config = config.tokenizer_class.as_ref();
    let of_config = of_config.filter(|class| !class.is_empty());
    let class = settings.tokenizer_class.as_ref().or(of_config);
    class.map(|class| class.strip_suffix("Fast").unwrap_or(class))
}

/// The tokens that a file beside `tokenizer.json` adds to it, and the name of that file.
fn named_tokens(
    folder: &Path,
    settings: &Settings,
) -> Result<(&'static str, Vec<NamedToken>), Error> {
    if let Some(tokens) = &settings.added_tokens_decoder {
        let token = |(number, token): (&String, &Value)| NamedToken {
            name: token["content"].as_str().unwrap_or_default().to_owned(),
            number: number.clone(),
            is_special: token["special"] == true,
        };
        return Ok((TOKENIZER_CONFIG, tokens.iter().map(token).collect()));
    }
    // `transformers` reads this one only without the key.
    let path = folder.join(ADDED_TOKENS);
    if !is_there(&path) {
        return Ok((ADDED_TOKENS, Vec::new()));
    }
    let bytes = read(&path, MAX_TOKENIZER_BYTES)?;
    let tokens: BTreeMap<String, i64> = json(&bytes).map_err(Error::file(&path))?;
    let token = |(name, number): (String, i64)| NamedToken {
        name,
        number: number.to_string(),
        is_special: false,
    };
    Ok((ADDED_TOKENS, tokens.into_iter().map(token).collect()))
}

/// RoBERTa counts positions by the tokens that are no padding, so both files must mean the same.
fn check_padding(
    tokenizer: &Tokenizer,
    settings: &Settings,
    config: &Config,
) -> Result<(), String> {
    let named = settings.pad_token.as_ref();
    let named = named.and_then(|it| it.as_str().or(it["content"].as_str()));
    let named = named.unwrap_or("<pad>");
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

/// Those of the file; without one, those of `transformers`.
fn settings(path: &Path) -> Result<Settings, Error> {
    if !is_there(path) {
        return Ok(Settings::default());
    }
    json(&read(path, MAX_TOKENIZER_BYTES)?).map_err(Error::file(path))
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

fn spec(config: &Config, settings: &Settings) -> Result<TextSpec, String> {
    let longest = config.longest();
    let max_tokens = match settings.model_max_length {
        Some(length) if length < 1.0 => {
            return Err(format!(
                "model_max_length is {length}; at least 1 is needed"
            ));
        }
        // A cast of a larger number gives the largest.
        Some(length) => longest.min(length as usize),
        None => longest,
    };
    let truncation_side = match settings.truncation_side.as_deref() {
        None | Some("right") => Side::Right,
        Some("left") => Side::Left,
        Some(other) => {
            let allowed = "left and right are allowed";
            return Err(format!("truncation_side is {other}; {allowed}"));
        }
    };
    Ok(TextSpec {
        max_tokens,
        truncation_side,
        add_special_tokens: true,
        pad_token_id: config.pad_token_id,
        clean_text: false,
    })
}

#[cfg(test)]
mod tests;
