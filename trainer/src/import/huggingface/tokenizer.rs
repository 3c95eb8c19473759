//! `tokenizer.json` and `tokenizer_config.json`: from texts to tokens.

use std::path::Path;

use quintet_bundle::text::{Pairs, Side, TextSpec, Tokenizer};
use serde::Deserialize;
use serde_json::Value;

use super::agreement::{check_agreement, own_special_tokens};
use super::config::Config;
use crate::error::Error;
use crate::import::MAX_TOKENIZER_BYTES;
use crate::import::target::read;
use crate::progress;

const TOKENIZER: &str = "tokenizer.json";
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// A tokeniser as it goes into the bundle.
#[derive(Debug)]
pub(crate) struct Imported {
    /// Reads texts.
    pub(crate) tokenizer: Tokenizer,
    /// How.
    pub(super) spec: TextSpec,
    /// The bundle's `tokenizer.json`.
    pub(crate) json: Vec<u8>,
}

/// The keys that matter.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Settings {
    // 1e30 stands for no limit.
    model_max_length: Option<f64>,
    truncation_side: Option<String>,
    pub(super) do_lower_case: Option<bool>,
    pub(super) strip_accents: Option<bool>,
    pub(super) tokenize_chinese_chars: Option<bool>,
    pub(super) add_prefix_space: Option<bool>,
}

/// Reads the tokeniser of a folder and checks that it fits the network.
pub(crate) fn import(folder: &Path, config: &Config) -> Result<Imported, Error> {
    let path = folder.join(TOKENIZER);
    let settings = settings(&folder.join(TOKENIZER_CONFIG))?;
    if !path.exists() {
        return Err(Error::file(&path)(
            "is missing; `AutoTokenizer.from_pretrained(FOLDER).save_pretrained(OTHER)` of \
             transformers writes it",
        ));
    }
    let json = read(&path, MAX_TOKENIZER_BYTES)?;
    let mut file: Value = serde_json::from_slice(&json).map_err(Error::file(&path))?;
    let refuse = |problem: String| Error::file(&path)(problem);
    check_agreement(&file, &settings).map_err(refuse)?;
    check_types(&file, config).map_err(refuse)?;
    if let own @ [_, ..] = &own_special_tokens(&file)[..] {
        progress::line(&format!(
            "note: the special tokens {} are read as any other text",
            own.join(", ")
        ));
    }
    adapt(&mut file, config);
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
    let spec = spec(config, &settings).map_err(Error::file(&folder.join(TOKENIZER_CONFIG)))?;
    let empty = tokenizer.encode("", &spec).map_err(|_| {
        refuse("adds no special tokens (post_processor); these networks need them".to_owned())
    })?;
    if empty.tokens.len() >= spec.max_tokens {
        let (special, most) = (empty.tokens.len(), spec.max_tokens);
        return Err(refuse(format!(
            "adds {special} special tokens; the network reads {most}, which leaves none for a text"
        )));
    }
    Ok(Imported {
        tokenizer,
        spec,
        json,
    })
}

impl Imported {
    /// Whether the network gets the type of each token.
    pub(super) fn has_token_types(&self, config: &Config) -> bool {
        config.has_token_types() && self.tokenizer.pairs() == Pairs::Typed
    }
}

/// Those of the file; without one, those of `transformers`.
fn settings(path: &Path) -> Result<Settings, Error> {
    if !path.exists() {
        return Ok(Settings::default());
    }
    serde_json::from_slice(&read(path, MAX_TOKENIZER_BYTES)?).map_err(Error::file(path))
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

/// Leaves truncation and padding to the bundle's manifest, and takes away the types of a network
/// that has none.
fn adapt(file: &mut Value, config: &Config) {
    if let Some(file) = file.as_object_mut() {
        file.insert("truncation".to_owned(), Value::Null);
        file.insert("padding".to_owned(), Value::Null);
        if let Some(post_processor) = file.get_mut("post_processor")
            && !config.has_token_types()
        {
            clear_types(post_processor);
        }
    }
}

/// Sets each `type_id` of a template to 0.
fn clear_types(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                match key.as_str() {
                    "type_id" => *value = 0.into(),
                    _ => clear_types(value),
                }
            }
        }
        Value::Array(array) => array.iter_mut().for_each(clear_types),
        _ => {}
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
mod tests {
    use serde_json::json;

    use super::*;

    fn config(class: &str) -> Config {
        let json = json!({
            "architectures": [format!("{class}ForSequenceClassification")],
            "vocab_size": 6, "max_position_embeddings": 12, "hidden_size": 12
        });
        Config::from_json(&serde_json::to_vec(&json).unwrap()).unwrap()
    }

    /// A word-level tokeniser that pads to eight tokens and cuts at four, as files of the hub do.
    fn tokenizer() -> Value {
        let special =
            |id: &str, type_id: i64| json!({"SpecialToken": {"id": id, "type_id": type_id}});
        let sequence = |id: &str, type_id: i64| json!({"Sequence": {"id": id, "type_id": type_id}});
        let single = [special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0)];
        let second = [sequence("B", 1), special("[SEP]", 1)];
        let pair = [&single[..], &second[..]].concat();
        let token = |id: &str, number: i64| json!({"id": id, "ids": [number], "tokens": [id]});
        json!({
            "version": "1.0",
            "truncation": {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
            "padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null,
                "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
            "added_tokens": [],
            "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                "strip_accents": null, "lowercase": true},
            "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": {"type": "TemplateProcessing", "single": single,
                "pair": pair,
                "special_tokens": {"[CLS]": token("[CLS]", 1), "[SEP]": token("[SEP]", 2)}},
            "decoder": null,
            "model": {"type": "WordLevel", "unk_token": "[UNK]",
                "vocab": {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "good": 4, "bad": 5}}
        })
    }

    fn read(file: &Value, settings: &Value, class: &str) -> Result<Imported, String> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, value: &Value| {
            std::fs::write(folder.path().join(name), value.to_string()).unwrap();
        };
        write(TOKENIZER, file);
        write(TOKENIZER_CONFIG, settings);
        import(folder.path(), &config(class)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_files_own_truncation_and_padding_do_not_count() {
        let imported = read(&tokenizer(), &json!({"model_max_length": 1e30}), "Bert").unwrap();
        let text = "Good bad good bad good bad good bad good bad good bad";
        let encoded = imported.tokenizer.encode(text, &imported.spec).unwrap();
        assert_eq!(encoded.tokens, [1, 4, 5, 4, 5, 4, 5, 4, 5, 4, 5, 2]);
        let encoded = imported.tokenizer.encode("good", &imported.spec).unwrap();
        assert_eq!(encoded.tokens, [1, 4, 2]);
        let settings = json!({"model_max_length": 5, "truncation_side": "left"});
        let imported = read(&tokenizer(), &settings, "Bert").unwrap();
        assert_eq!(imported.spec.max_tokens, 5);
        assert_eq!(imported.spec.truncation_side, Side::Left);
    }

    #[test]
    fn a_network_without_token_types_reads_pairs_without_them() {
        let none = json!({});
        let imported = read(&tokenizer(), &none, "Bert").unwrap();
        assert!(imported.has_token_types(&config("Bert")));
        let imported = read(&tokenizer(), &none, "DistilBert").unwrap();
        assert_eq!(imported.tokenizer.pairs(), Pairs::Untyped);
        let pair = imported
            .tokenizer
            .encode_pair("good", "bad", &imported.spec);
        assert_eq!(pair.unwrap().tokens, [1, 4, 2, 5, 2]);
    }

    #[test]
    fn special_tokens_of_a_models_own_are_told() {
        let token = |id: i64, content: &str| json!({"id": id, "content": content, "special": true});
        let mut file = tokenizer();
        file["added_tokens"] = json!([token(1, "[CLS]"), token(4, "[ENT]"), token(5, "[/ENT]")]);
        assert_eq!(own_special_tokens(&file), ["[ENT]", "[/ENT]"]);
    }

    #[test]
    fn types_that_the_network_would_not_get_are_refused() {
        // RoBERTa has two types where its configuration does not say otherwise.
        let error = read(&tokenizer(), &json!({}), "Roberta").unwrap_err();
        assert!(error.contains("types are only read of BERT"), "{error}");
        let mut file = tokenizer();
        clear_types(&mut file["post_processor"]);
        read(&file, &json!({}), "Roberta").unwrap();
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refusal = |change: fn(&mut Value), settings: Value| {
            let mut file = tokenizer();
            change(&mut file);
            read(&file, &settings, "Bert").unwrap_err()
        };
        for (error, words) in [
            (
                refusal(|it| it["model"]["vocab"]["more"] = 6.into(), json!({})),
                "has tokens up to 6; the network has an embedding of 6, for 0 to 5",
            ),
            (
                refusal(|it| it["post_processor"] = Value::Null, json!({})),
                "adds no special tokens",
            ),
            (
                refusal(|_| {}, json!({"truncation_side": "middle"})),
                "truncation_side is middle; left and right",
            ),
            (
                refusal(|_| {}, json!({"model_max_length": 2})),
                "the network reads 2, which leaves none",
            ),
            (
                refusal(|_| {}, json!({"do_lower_case": false})),
                "do_lower_case of tokenizer_config.json is false",
            ),
            (
                refusal(
                    |it| {
                        let parts = json!([{"type": "NFD"}, {"type": "Lowercase"}]);
                        it["normalizer"] = json!({"type": "Sequence", "normalizers": parts});
                    },
                    json!({"do_lower_case": false}),
                ),
                "normalizer.lowercase is true; do_lower_case",
            ),
            (
                refusal(|_| {}, json!({"strip_accents": false})),
                "normalizer.strip_accents is true; strip_accents of",
            ),
            (
                refusal(|_| {}, json!({"tokenize_chinese_chars": false})),
                "normalizer.handle_chinese_chars is true; tokenize_chinese_chars",
            ),
            (
                refusal(
                    |it| {
                        let bytes = json!({"type": "ByteLevel", "add_prefix_space": false,
                            "trim_offsets": true, "use_regex": true});
                        it["pre_tokenizer"] = bytes;
                    },
                    json!({"add_prefix_space": true}),
                ),
                "pre_tokenizer.add_prefix_space is false; add_prefix_space",
            ),
            (
                refusal(|it| it["model"]["type"] = "Psychic".into(), json!({})),
                "tokenizer.json: tokenizer.json: ",
            ),
        ] {
            assert!(error.contains(words), "{error}");
        }
    }
}
