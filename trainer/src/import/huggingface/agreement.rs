//! What `tokenizer_config.json` says of what `tokenizer.json` does.

use serde_json::Value;

use super::tokenizer::{Settings, TOKENIZER_CONFIG};

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
