//! The token that fills up texts. RoBERTa counts positions by the tokens that are no padding.

use quintet_bundle::text::{TextSpec, Tokenizer};
use serde_json::Value;

use crate::import::added::Added;

/// Checks that no text has RoBERTa's padding within it: `transformers` gives such a token no
/// position of its own, and the bundle's graph does.
///
/// # Errors
/// Which token it is, and where a text gets it from.
pub(super) fn check_pad_token(
    file: &Value,
    added: &Added<'_>,
    tokenizer: &Tokenizer,
    spec: &TextSpec,
) -> Result<(), String> {
    let number = spec.pad_token_id;
    // A number that is no token's is in no text.
    let Some(name) = tokenizer.spelling(number) else {
        return Ok(());
    };
    let model = &file["model"];
    let unknown = model["unk_token"]
        .as_str()
        .and_then(|it| tokenizer.token(it));
    let special = file["added_tokens"].as_array().into_iter().flatten();
    let mut special = special.filter(|token| token["special"] == true);
    let why = if added.tokens.iter().any(|(_, it)| *it == number) {
        "which post_processor of tokenizer.json adds to texts"
    } else if unknown.or(model["unk_id"].as_i64()) == Some(number) {
        "which stands for unknown words (model.unk_token of tokenizer.json)"
    } else if !special.any(|token| token["content"] == name.as_str()) {
        "which is no special token (added_tokens of tokenizer.json)"
    } else if is_word(&name, number, model, tokenizer, spec) {
        "which is a word of texts, too (model.vocab of tokenizer.json)"
    } else {
        return Ok(());
    };
    Err(format!(
        "pad_token_id is {number}, the token `{name}`, {why}; the network gives padding no \
         position, so a special token that no text has is allowed"
    ))
}

/// Whether the model reads the token from a text.
fn is_word(name: &str, number: i64, model: &Value, tokenizer: &Tokenizer, spec: &TextSpec) -> bool {
    // A text that spells such a mark differs from `transformers` with any padding.
    if name.starts_with(['<', '[']) {
        return false;
    }
    let merged = |merge: &Value| match (merge.as_str(), merge.as_array()) {
        (Some(pair), _) => pair.replacen(' ', "", 1) == name,
        (_, Some(pair)) => pair.iter().filter_map(Value::as_str).collect::<String>() == name,
        _ => false,
    };
    let merges = model["merges"].as_array();
    if merges.is_some_and(|it| name.chars().count() == 1 || it.iter().any(merged)) {
        return true;
    }
    // Spaces as byte pair encoding and SentencePiece write them.
    [name.to_owned(), name.replace(['Ġ', '▁'], " ")]
        .iter()
        .filter_map(|text| tokenizer.encode(text, spec).ok())
        .any(|encoded| encoded.tokens.contains(&number))
}
