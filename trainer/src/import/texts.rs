//! Checks of a file that reads texts, before its proof, which then fails for other reasons.

use quintet_bundle::Manifest;
use quintet_bundle::text::{TextSpec, Tokenizer};

use super::added::Added;
use super::samples;
use super::target::json;
use crate::error::Error;
use crate::verify::Tensors;

/// Checks that there is a tokeniser, as bytes and parsed, and that the file reads all that it
/// gives.
pub(super) fn check(
    manifest: &Manifest,
    spec: &TextSpec,
    tokenizer: Option<(&[u8], &Tokenizer)>,
    original: impl FnMut(&Tensors) -> Result<Tensors, Error>,
) -> Result<(), Error> {
    let missing = || Error::Usage("tokenizer: is missing; texts need one".to_owned());
    let (bytes, tokenizer) = tokenizer.ok_or_else(missing)?;
    let checked = tokenizer.check(spec);
    checked.map_err(|error| Error::Usage(error.to_string()))?;
    let long = TextSpec {
        max_tokens: 512,
        ..*spec
    };
    // A tokeniser without special tokens makes nothing of an empty text.
    let special = tokenizer.encode("", &long).map_or(0, |it| it.tokens.len());
    if special >= spec.max_tokens {
        return Err(Error::Usage(format!(
            "preprocessing.max_tokens: is {}, and the tokeniser adds {special} special tokens, \
             which leaves none for a text; more are needed",
            spec.max_tokens
        )));
    }
    let file = json(bytes).map_err(Error::Usage)?;
    let last_type = Added::of(&file).types.into_iter().max().unwrap_or(0);
    read_last_token(manifest, (spec, tokenizer, last_type), original)
}

/// The error of a file that fails on texts, though it can read the tokens.
pub(super) fn too_long(manifest: &Manifest, error: Error) -> Error {
    match (error, manifest.spec::<TextSpec>()) {
        (Error::Runtime(cause), Ok(spec)) => Error::Usage(format!(
            "preprocessing.max_tokens: is {}, and the graph fails on random texts of up to as \
             many tokens: does it read fewer? ({cause})",
            spec.max_tokens
        )),
        (error, _) => error,
    }
}

/// Checks that the file reads the last token and type of its tokeniser, where it reads the first.
fn read_last_token(
    manifest: &Manifest,
    (spec, tokenizer, last_type): (&TextSpec, &Tokenizer, i64),
    mut original: impl FnMut(&Tensors) -> Result<Tensors, Error>,
) -> Result<(), Error> {
    let last = tokenizer.vocabulary_size().saturating_sub(1) as i64;
    let mut run = |token| original(&samples::one_token(manifest, spec, token)?);
    run((0, 0))?;
    if let Err(Error::Runtime(cause)) = run((last, 0)) {
        let spelling = tokenizer.spelling(last).unwrap_or_default();
        return Err(Error::Usage(format!(
            "tokenizer: has tokens up to {last}, `{spelling}`, and the graph fails on that one: \
             has its embedding fewer rows? ({cause})"
        )));
    }
    if let Err(Error::Runtime(cause)) = run((0, last_type)) {
        return Err(Error::Usage(format!(
            "tokenizer: gives type_id {last_type} to tokens, and the graph fails on that one: has \
             its embedding of types fewer rows? ({cause})"
        )));
    }
    Ok(())
}
