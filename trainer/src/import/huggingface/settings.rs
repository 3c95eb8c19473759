//! `tokenizer_config.json`, and `special_tokens_map.json` of old checkpoints.

use std::collections::BTreeMap;
use std::path::Path;

use quintet_bundle::text::Side;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::import::MAX_TOKENIZER_BYTES;
use crate::import::target::{is_there, json, read};

pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const SPECIAL_TOKENS: &str = "special_tokens_map.json";

/// The keys that matter.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Settings {
    // 1e30 stands for no limit.
    model_max_length: Option<f64>,
    max_len: Option<f64>,
    truncation_side: Option<String>,
    pub(super) tokenizer_class: Option<String>,
    pub(super) model_input_names: Option<Vec<String>>,
    pub(super) added_tokens_decoder: Option<BTreeMap<String, Value>>,
    pub(super) do_lower_case: Option<bool>,
    pub(super) strip_accents: Option<bool>,
    pub(super) tokenize_chinese_chars: Option<bool>,
    pub(super) add_prefix_space: Option<bool>,
    /// All keys, also those with null.
    #[serde(skip)]
    all: Map<String, Value>,
    /// Those of the other file.
    #[serde(skip)]
    special: Map<String, Value>,
}

impl Settings {
    /// Those of a folder; a file that is absent says nothing.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        let bytes = |path: &Path| read(path, MAX_TOKENIZER_BYTES);
        let path = folder.join(TOKENIZER_CONFIG);
        let mut settings = Self::default();
        if is_there(&path) {
            let bytes = bytes(&path)?;
            settings = json(&bytes).map_err(Error::file(&path))?;
            settings.all = json(&bytes).map_err(Error::file(&path))?;
        }
        let path = folder.join(SPECIAL_TOKENS);
        // `transformers` reads it only without the key, and then before the other file.
        if settings.added_tokens_decoder.is_none() && is_there(&path) {
            settings.special = json(&bytes(&path)?).map_err(Error::file(&path))?;
        }
        Ok(settings)
    }

    /// What a file says of a key, which may be null, and the name of that file.
    pub(super) fn said(&self, key: &str) -> Option<(&Value, &'static str)> {
        let special = self.special.get(key).map(|it| (it, SPECIAL_TOKENS));
        special.or_else(|| Some((self.all.get(key)?, TOKENIZER_CONFIG)))
    }

    /// The content of a special token, which is null where the files say so.
    pub(super) fn token(&self, key: &str, default: Value) -> Value {
        match self.said(key) {
            None => default,
            Some((Value::Object(token), _)) => token.get("content").cloned().unwrap_or_default(),
            Some((token, _)) => token.clone(),
        }
    }

    /// The longest text, of which old checkpoints have the key `max_len`.
    ///
    /// # Errors
    /// It leaves no token.
    pub(super) fn limit(&self) -> Result<Option<usize>, String> {
        let (key, limit) = if self.all.contains_key("model_max_length") {
            ("model_max_length", self.model_max_length)
        } else {
            ("max_len", self.max_len)
        };
        match limit {
            Some(length) if length < 1.0 => Err(format!("{key} is {length}; at least 1 is needed")),
            // A cast of a larger number gives the largest.
            limit => Ok(limit.map(|length| length as usize)),
        }
    }

    /// The end of a long text that is cut off; where these do not say it, that of
    /// `tokenizer.json`.
    ///
    /// # Errors
    /// It is neither end.
    pub(super) fn truncation_side(&self, file: &Value) -> Result<Side, String> {
        match self.truncation_side.as_deref() {
            Some("right") => Ok(Side::Right),
            Some("left") => Ok(Side::Left),
            Some(other) => {
                let allowed = "left and right are allowed";
                Err(format!("truncation_side is {other}; {allowed}"))
            }
            None if file["truncation"]["direction"] == "Left" => Ok(Side::Left),
            None => Ok(Side::Right),
        }
    }
}
