//! The settings that a class of tokenisers makes of the configuration and of its defaults.

use serde_json::Value;

use super::classes::{Class, Kind, Version};
use super::settings::Settings;

/// A setting that a class makes.
pub(super) struct Made {
    /// Where the file has it.
    pub(super) path: &'static str,
    pub(super) value: Value,
    /// What the file means where it has none, or null.
    absent: Value,
    /// The key of `tokenizer_config.json` that it is made of.
    pub(super) key: Option<&'static str>,
}

impl Made {
    /// A setting that no key changes, and that is the default of files, too.
    fn always(path: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        Self {
            path,
            absent: value.clone(),
            value,
            key: None,
        }
    }

    /// The same, made of a key.
    fn of(self, key: &'static str) -> Self {
        let key = Some(key);
        Self { key, ..self }
    }

    /// The same, where a file that does not have it means something else.
    fn or(self, absent: impl Into<Value>) -> Self {
        let absent = absent.into();
        Self { absent, ..self }
    }

    /// What the file says.
    pub(super) fn found(&self, file: &Value) -> Value {
        let mut keys = self.path.split('.');
        match keys.try_fold(file, |part, key| part.get(key)) {
            None | Some(Value::Null) => self.absent.clone(),
            Some(found) => found.clone(),
        }
    }
}

/// All settings that must be as the class makes them, but for the post-processor.
pub(super) fn made(
    file: &Value,
    class: &Class,
    version: Version,
    settings: &Settings,
) -> Vec<Made> {
    let mut made = Vec::new();
    if class.rebuilds(version) {
        made.extend(kinds(file, class.kind));
        made.extend(model(class, settings));
    }
    made.extend(normalizer(file, class, version, settings));
    made.extend(pre_tokenizer(file, class, version, settings));
    made
}

/// What version 5 makes the parts of.
fn kinds(file: &Value, kind: Kind) -> [Made; 3] {
    let (model, normalizer, splitter) = match kind {
        Kind::Roberta => ("BPE", Value::Null, "ByteLevel"),
        Kind::Herbert => ("BPE", "BertNormalizer".into(), "BertPreTokenizer"),
        _ => ("WordPiece", "BertNormalizer".into(), "BertPreTokenizer"),
    };
    // Files of old do not say.
    let is_bpe = !file["model"]["merges"].is_null();
    let older = if is_bpe { "BPE" } else { "WordPiece" };
    [
        Made::always("model.type", model).or(older),
        Made::always("normalizer.type", normalizer).or(Value::Null),
        Made::always("pre_tokenizer.type", splitter).or(Value::Null),
    ]
}

/// The model that version 5 makes.
fn model(class: &Class, settings: &Settings) -> Vec<Made> {
    let unknown = class.token("unk_token", settings);
    let unknown = Made::always("model.unk_token", unknown).of("unk_token");
    if class.kind == Kind::Bert {
        return vec![
            unknown.or("[UNK]"),
            Made::always("model.continuing_subword_prefix", "##"),
            Made::always("model.max_input_chars_per_word", 100),
        ];
    }
    let (unknown, suffix) = match class.kind {
        Kind::Herbert => (unknown.or(Value::Null), "</w>"),
        _ => (Made::always("model.unk_token", Value::Null), ""),
    };
    vec![
        unknown,
        Made::always("model.continuing_subword_prefix", ""),
        Made::always("model.end_of_word_suffix", suffix).or(""),
        Made::always("model.fuse_unk", false),
        Made::always("model.byte_fallback", false),
        Made::always("model.ignore_merges", false),
    ]
}

fn normalizer(file: &Value, class: &Class, version: Version, settings: &Settings) -> Vec<Made> {
    let normalizer = &file["normalizer"];
    let rebuilds = class.rebuilds(version);
    if class.kind == Kind::Bert && normalizer.is_null() {
        // Version 4 cannot read such a file.
        return vec![Made::always("normalizer.type", "BertNormalizer").or(Value::Null)];
    }
    if normalizer["type"] != "BertNormalizer" {
        return Vec::new();
    }
    let [lowercase, accents, chinese, clean] = [
        "normalizer.lowercase",
        "normalizer.strip_accents",
        "normalizer.handle_chinese_chars",
        "normalizer.clean_text",
    ];
    let lowers = match class.kind {
        Kind::Bert => settings.do_lower_case.unwrap_or(true),
        _ => false,
    };
    let mut made = match class.kind {
        Kind::Bert => vec![
            Made::always(lowercase, lowers).of("do_lower_case"),
            // Null is the same as lower case, in the file and in the settings.
            Made::always(accents, settings.strip_accents.unwrap_or(lowers))
                .of("strip_accents")
                .or(normalizer["lowercase"].clone()),
            Made::always(chinese, settings.tokenize_chinese_chars.unwrap_or(true))
                .of("tokenize_chinese_chars"),
        ],
        Kind::Herbert if rebuilds => vec![
            Made::always(lowercase, false),
            Made::always(accents, false),
            Made::always(chinese, true),
        ],
        _ => Vec::new(),
    };
    if rebuilds {
        made.push(Made::always(clean, true));
    }
    made
}

fn pre_tokenizer(file: &Value, class: &Class, version: Version, settings: &Settings) -> Vec<Made> {
    let rebuilds = class.rebuilds(version);
    // Version 4 sets the first for all classes.
    let is_set = rebuilds || version == Version::Four;
    if !is_set || file["pre_tokenizer"]["type"] != "ByteLevel" {
        return Vec::new();
    }
    let prefix_space = settings.add_prefix_space.unwrap_or(false);
    let mut made =
        vec![Made::always("pre_tokenizer.add_prefix_space", prefix_space).of("add_prefix_space")];
    if rebuilds {
        made.push(Made::always("pre_tokenizer.use_regex", true));
    }
    made
}
