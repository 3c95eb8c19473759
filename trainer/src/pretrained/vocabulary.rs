//! A smaller vocabulary of a tokeniser.

use std::collections::BTreeMap;

use quintet_bundle::text::{TextSpec, Tokenizer};
use serde_json::{Map, Value};

use crate::import::huggingface::tokenizer::Imported;

/// What begins a part of a word that is not its first.
const CONTINUING: &str = "##";

/// The tokeniser with its special tokens, its single characters and the other tokens that `texts`
/// have most often, `size` in all; the tokeniser itself if it has no more. A word that is no longer
/// a token is read as its parts.
///
/// # Errors
/// Only a WordPiece vocabulary (Schuster & Nakajima 2012) can be cut: its tokens depend on no list
/// of merges.
pub(super) fn cut<T: AsRef<str>>(
    imported: &Imported,
    texts: &[T],
    size: usize,
) -> Result<Tokenizer, String> {
    let tokenizer = &imported.tokenizer;
    let all = tokenizer.vocabulary_size();
    let whole = || Tokenizer::from_bytes(&imported.json).map_err(|error| error.to_string());
    if all <= size {
        return whole();
    }
    let mut file: Value =
        serde_json::from_slice(&imported.json).map_err(|error| error.to_string())?;
    if file["model"]["type"] != "WordPiece" {
        let found = &file["model"]["type"];
        return Err(format!(
            "model.type is {found} with {all} tokens; a recipe with a tokenizer.vocabulary_size of \
             {size} needs WordPiece"
        ));
    }
    let counts = counts(tokenizer, texts)?;
    let vocabulary = file["model"]["vocab"].as_object();
    let vocabulary = vocabulary.ok_or("model.vocab is no object")?;
    let kept = choose(vocabulary, &special(&file), &counts, size)?;
    renumber(&mut file, &kept);
    let json = serde_json::to_vec(&file).map_err(|error| error.to_string())?;
    Tokenizer::from_bytes(&json).map_err(|error| error.to_string())
}

/// For each token of `cut`, its number in `whole`.
pub(super) fn rows(whole: &Tokenizer, cut: &Tokenizer) -> Result<Vec<i64>, String> {
    let row = |number| {
        let token = cut.spelling(number);
        let found = token.as_deref().and_then(|it| whole.token(it));
        found.ok_or_else(|| format!("has no embedding for token {number}, {token:?}"))
    };
    (0..cut.vocabulary_size() as i64).map(row).collect()
}

/// How often the texts have each token.
fn counts<T: AsRef<str>>(tokenizer: &Tokenizer, texts: &[T]) -> Result<Vec<u64>, String> {
    let mut counts = vec![0; tokenizer.vocabulary_size()];
    let spec = TextSpec::end_of(usize::MAX);
    for text in texts {
        let encoded = tokenizer.encode(text.as_ref(), &spec);
        for token in encoded.map_err(|error| error.to_string())?.tokens {
            counts[token as usize] += 1;
        }
    }
    Ok(counts)
}

/// The numbers of the special tokens that texts can have.
fn special(file: &Value) -> Vec<u64> {
    let added = file["added_tokens"].as_array().into_iter().flatten();
    // A text to classify has no masked words.
    let used = added.filter(|it| it["content"] != "[MASK]");
    used.filter_map(|it| it["id"].as_u64()).collect()
}

/// The numbers to keep, in their order.
fn choose(
    vocabulary: &Map<String, Value>,
    special: &[u64],
    counts: &[u64],
    size: usize,
) -> Result<Vec<u64>, String> {
    let mut tokens = Vec::with_capacity(vocabulary.len());
    for (token, number) in vocabulary {
        let number = number
            .as_u64()
            .ok_or("model.vocab: a token has no number")?;
        let part = token.strip_prefix(CONTINUING).unwrap_or(token);
        // Every word of these characters can be spelled with them.
        let is_basic = part.chars().count() == 1 && part.is_ascii();
        let is_needed = special.contains(&number) || is_basic;
        let count = counts.get(number as usize).copied().unwrap_or_default();
        if token != "[MASK]" {
            tokens.push((!is_needed, u64::MAX - count, number));
        }
    }
    tokens.sort_unstable();
    let mut kept: Vec<u64> = tokens.into_iter().take(size).map(|it| it.2).collect();
    kept.sort_unstable();
    Ok(kept)
}

/// Numbers the kept tokens from 0 on, and removes the others.
fn renumber(file: &mut Value, kept: &[u64]) {
    let numbers: BTreeMap<u64, usize> = kept.iter().copied().zip(0..).collect();
    let number = |old: &Value| numbers.get(&old.as_u64()?).copied();
    if let Some(vocabulary) = file["model"]["vocab"].as_object_mut() {
        vocabulary.retain(|_, old| number(old).is_some());
        for value in vocabulary.values_mut() {
            *value = number(value).into();
        }
    }
    if let Some(added) = file["added_tokens"].as_array_mut() {
        added.retain(|it| number(&it["id"]).is_some());
        for token in added {
            token["id"] = number(&token["id"]).into();
        }
    }
    if let Some(special) = file["post_processor"]["special_tokens"].as_object_mut() {
        for token in special.values_mut() {
            for id in token["ids"].as_array_mut().into_iter().flatten() {
                *id = number(id).into();
            }
        }
    }
}

#[cfg(test)]
mod tests;
