//! What `tokenizer_config.json` says of what `tokenizer.json` does.

use serde_json::Value;

use super::tokenizer::{NamedToken, Settings, TOKENIZER_CONFIG, TYPED};

/// `transformers` takes these from the configuration, so the two files must agree.
pub(super) fn check_agreement(file: &Value, settings: &Settings) -> Result<(), String> {
    let (normalizer, splitter) = (&file["normalizer"], &file["pre_tokenizer"]);
    let lowercases = match of_part(normalizer, "BertNormalizer", "lowercase") {
        None if has_part(normalizer, "Lowercase") => Some(true),
        None if has_part(normalizer, "Sequence") => Some(false),
        found => found,
    };
    let of_bert = |key| of_part(normalizer, "BertNormalizer", key);
    let prefix_space = of_part(splitter, "ByteLevel", "add_prefix_space");
    for (place, found, key, said) in [
        (
            "normalizer.lowercase",
            lowercases,
            "do_lower_case",
            settings.do_lower_case,
        ),
        (
            "normalizer.strip_accents",
            of_bert("strip_accents").or(of_bert("lowercase")),
            "strip_accents",
            settings.strip_accents,
        ),
        (
            "normalizer.handle_chinese_chars",
            of_bert("handle_chinese_chars"),
            "tokenize_chinese_chars",
            settings.tokenize_chinese_chars,
        ),
        (
            "pre_tokenizer.add_prefix_space",
            prefix_space,
            "add_prefix_space",
            settings.add_prefix_space,
        ),
    ] {
        if let (Some(found), Some(said)) = (found, said)
            && found != said
        {
            return Err(format!(
                "{place} is {found}; {key} of {TOKENIZER_CONFIG} is {said}"
            ));
        }
    }
    Ok(())
}

/// Refuses a file that is not what its class makes: `transformers` takes the vocabulary alone from
/// it for these classes. All others are taken as the file has them.
pub(super) fn check_class(file: &Value, class: &str) -> Result<(), String> {
    let kind = |part: &str| file[part]["type"].as_str().unwrap_or("null");
    let model = match kind("model") {
        // Files of old do not say.
        "null" if !file["model"]["merges"].is_null() => "BPE",
        "null" => "WordPiece",
        kind => kind,
    };
    let made = if class == "RobertaTokenizer" {
        ["BPE", "null", "ByteLevel"]
    } else if class == "DistilBertTokenizer" || TYPED.contains(&class) {
        ["WordPiece", "BertNormalizer", "BertPreTokenizer"]
    } else if class == "MPNetTokenizer" {
        return Err(format!(
            "is of tokenizer_class {class} ({TOKENIZER_CONFIG}), which adds special tokens of its \
             own to pairs; PreTrainedTokenizerFast, which takes the file as it is, is allowed"
        ));
    } else {
        return Ok(());
    };
    let found = [model, kind("normalizer"), kind("pre_tokenizer")];
    let parts = ["model.type", "normalizer.type", "pre_tokenizer.type"];
    for ((part, found), made) in parts.into_iter().zip(found).zip(made) {
        if found != made {
            return Err(format!(
                "{part} is {found}; tokenizer_class {class} makes {made} whatever the file says, \
                 and PreTrainedTokenizerFast takes the file as it is"
            ));
        }
    }
    Ok(())
}

/// Refuses tokens that another file adds to this one.
pub(super) fn check_added_tokens(file: &Value, named: &[NamedToken]) -> Result<(), String> {
    let added = file["added_tokens"].as_array().into_iter().flatten();
    let added: Vec<_> = added.filter_map(|it| it["content"].as_str()).collect();
    let vocabulary = &file["model"]["vocab"];
    let has = |name: &str| {
        let pieces = vocabulary.as_array().into_iter().flatten();
        vocabulary.get(name).is_some() || pieces.into_iter().any(|piece| piece[0] == name)
    };
    // Special tokens are not read from texts, so these may be in the vocabulary alone.
    let is_there = |token: &&NamedToken| {
        added.contains(&token.name.as_str()) || token.is_special && has(&token.name)
    };
    let missing = named.iter().find(|token| !is_there(token));
    missing.map_or(Ok(()), |token| {
        Err(format!(
            "adds the token `{}` as {}, which added_tokens of tokenizer.json has not; tokens that \
             it has are allowed",
            token.name, token.number
        ))
    })
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

/// The parts of a normaliser or pre-tokeniser: itself, or those of a sequence.
fn parts(whole: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["normalizers", "pretokenizers"].map(|key| whole[key].as_array());
    std::iter::once(whole).chain(lists.into_iter().flatten().flatten())
}

fn has_part(whole: &Value, kind: &str) -> bool {
    parts(whole).any(|part| part["type"] == kind)
}

fn of_part(whole: &Value, kind: &str, key: &str) -> Option<bool> {
    let mut parts = parts(whole).filter(|part| part["type"] == kind);
    parts.find_map(|part| part[key].as_bool())
}
