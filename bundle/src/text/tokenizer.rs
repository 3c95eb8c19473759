//! Words to numbers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Display};
use std::panic::{self, AssertUnwindSafe};

use tokenizers::models::wordlevel::WordLevel;
use tokenizers::normalizers::replace::{Replace, ReplacePattern};
use tokenizers::normalizers::{Lowercase, NormalizerWrapper, Sequence};
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::processors::template::{SpecialToken, TemplateProcessing};
use tokenizers::{
    Encoding, NormalizedString, Normalizer as _, OffsetReferential, OffsetType, PostProcessor as _,
    PreTokenizedString, PreTokenizer as _, SplitDelimiterBehavior, TruncationDirection,
};

use super::scanner::Scanner;
use super::{Side, TOKENIZER_FILE, TextSpec, clean};
use crate::ManifestError;
use crate::error::check;

/// The special tokens, in the order of their numbers. No text can spell them: [`WORD`] matches no
/// brackets.
const SPECIAL: [&str; 3] = ["[PAD]", "[START]", "[UNK]"];

/// Line breaks in HTML, which the reviews are full of.
const LINE_BREAK: &str = r"(?i)<br\s*/?>";

/// A word: letters and digits, with apostrophes inside (`don't`), or a mark of feeling. Other
/// punctuation is no token: without it, more words fit into the tokens that a network reads.
const WORD: &str = r"[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}\p{N}]+)*|[!?]";

/// Turns a text into the numbers of its words.
#[derive(Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Does the same faster, for a tokeniser of ours.
    scanner: Option<Scanner>,
    /// The token of words that are not in the vocabulary; none where every text can be spelled.
    unknown: Option<i64>,
}

/// A text as a network reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The tokens, at least one; the last ones of a longer text.
    pub tokens: Vec<i64>,
    /// Whether tokens were left out.
    pub truncated: bool,
    /// How many tokens the whole text has.
    pub total: usize,
    /// How many of `tokens` stand for words or parts of words: all but special ones.
    pub words: usize,
    /// How many of these are in the vocabulary.
    pub known: usize,
}

/// Why a tokeniser cannot be made or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TokenizerError(String);

impl Tokenizer {
    /// Learns the commonest words of `texts`, cleaned, `vocabulary_size` with the three special tokens.
    ///
    /// Among words of the same frequency the alphabet decides, so the same texts in any order give
    /// the same tokeniser.
    pub fn train<T: AsRef<str>>(
        texts: impl IntoIterator<Item = T>,
        vocabulary_size: usize,
    ) -> Result<Self, TokenizerError> {
        let least = SPECIAL.len() + 1;
        if vocabulary_size < least {
            let found = format!("vocabulary size is {vocabulary_size}");
            return Err(TokenizerError(format!(
                "{found}, allowed: at least {least}"
            )));
        }
        let (normalizer, splitter) = (normalizer()?, splitter()?);
        let mut counts: HashMap<String, u64> = HashMap::new();
        for text in texts {
            count_words(&normalizer, &splitter, &clean(text.as_ref()), &mut counts)?;
        }
        if counts.is_empty() {
            let problem = "the texts to learn a vocabulary from have no words";
            return Err(TokenizerError(problem.to_owned()));
        }
        let mut words: Vec<(String, u64)> = counts.into_iter().collect();
        words.sort_unstable_by(|(word, count), (other, others)| {
            others.cmp(count).then_with(|| word.cmp(other))
        });
        let words = words.into_iter().map(|(word, _)| word);
        let vocabulary = SPECIAL
            .map(str::to_owned)
            .into_iter()
            .chain(words)
            .take(vocabulary_size)
            .zip(0..);
        Self::of(vocabulary.collect())
    }

    /// The tokeniser of these words.
    fn of(vocabulary: HashMap<String, u32>) -> Result<Self, TokenizerError> {
        Ok(Self {
            inner: assemble(vocabulary.clone())?,
            scanner: Some(Scanner::new(vocabulary)),
            unknown: Some(super::UNKNOWN),
        })
    }

    /// Reads `tokenizer.json`, one that [`Tokenizer::to_bytes`] wrote or one that came with another
    /// model.
    pub fn from_bytes(json: &[u8]) -> Result<Self, TokenizerError> {
        let mut inner = tokenizers::Tokenizer::from_bytes(json).map_err(format)?;
        // A text that spells `[CLS]` is a text, not a command; and its length is the caller's.
        inner.set_encode_special_tokens(true);
        inner.with_truncation(None).map_err(format)?;
        inner.with_padding(None);
        // The crate panics where a template names a token that the file does not define.
        let example = AssertUnwindSafe(|| inner.post_process(Encoding::default(), None, true));
        panic::catch_unwind(example)
            .map_err(|_| format("its post_processor cannot be used"))?
            .map_err(format)?;
        let vocabulary: HashMap<String, u32> = inner.get_vocab(true).into_iter().collect();
        let unknown = ["[UNK]", "<unk>"].iter().find_map(|it| vocabulary.get(*it));
        let imported = Self {
            inner,
            scanner: None,
            unknown: unknown.map(|&token| token.into()),
        };
        let numbers = SPECIAL.map(|token| vocabulary.get(token).copied());
        match Self::of(vocabulary) {
            Ok(own)
                if numbers == [Some(0), Some(1), Some(2)]
                    && own.to_bytes()? == imported.to_bytes()? =>
            {
                Ok(own)
            }
            _ => Ok(imported),
        }
    }

    /// The tokeniser as `tokenizer.json`; the same tokeniser gives the same bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TokenizerError> {
        let mut json = self.inner.to_string(false).map_err(format)?;
        json.push('\n');
        Ok(json.into_bytes())
    }

    /// How many different tokens there are.
    pub fn vocabulary_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Checks that the padding that a manifest names is one of these tokens.
    ///
    /// # Errors
    /// [`ManifestError::field`] of `preprocessing.pad_token_id`.
    pub fn check(&self, spec: &TextSpec) -> Result<(), ManifestError> {
        let (padding, tokens) = (spec.pad_token_id, self.vocabulary_size());
        let fits = usize::try_from(padding).is_ok_and(|padding| padding < tokens);
        let last = tokens.saturating_sub(1);
        let allowed = format!("0 to {last}, as {TOKENIZER_FILE} has {tokens} tokens");
        check(fits, "preprocessing.pad_token_id", padding, allowed)
    }

    /// The tokens of `text`, cut as `spec` says. Special tokens stay when a text is cut, but for
    /// those of a tokeniser that [`Tokenizer::train`] made: its start is cut off with the text's.
    ///
    /// A tokeniser that [`Tokenizer::train`] made has tokens for every text, the empty one included.
    /// Time and memory grow with the length of the text.
    pub fn encode(&self, text: &str, spec: &TextSpec) -> Result<Encoded, TokenizerError> {
        let cleaned = if spec.clean_text {
            clean(text)
        } else {
            Cow::Borrowed(text)
        };
        let text = cleaned.as_ref();
        let (mut tokens, total) = match &self.scanner {
            Some(scanner) => {
                let mut tokens = Vec::new();
                if spec.add_special_tokens {
                    tokens.push(super::START);
                }
                scanner.scan(text, &mut tokens, |piece, tokens| {
                    tokens.extend(numbers(&self.pieces(piece)?));
                    Ok(())
                })?;
                let total = tokens.len();
                (tokens, total)
            }
            None => self.encode_imported(text, spec)?,
        };
        match spec.truncation_side {
            Side::Left => drop(tokens.drain(..tokens.len().saturating_sub(spec.max_tokens))),
            Side::Right => tokens.truncate(spec.max_tokens),
        }
        if tokens.is_empty() {
            return Err(TokenizerError("text gives no tokens".to_owned()));
        }
        let words = match &self.scanner {
            Some(_) => tokens.iter().filter(|&&it| it != super::START).count(),
            None => tokens.len().saturating_sub(self.special(spec)),
        };
        let is_unknown = |token: &&i64| Some(**token) == self.unknown;
        let unknown = tokens.iter().filter(is_unknown).count();
        Ok(Encoded {
            truncated: tokens.len() < total,
            tokens,
            total,
            words,
            known: words.saturating_sub(unknown),
        })
    }

    /// How many special tokens an imported tokeniser adds to a text.
    fn special(&self, spec: &TextSpec) -> usize {
        match self.inner.get_post_processor() {
            Some(processor) if spec.add_special_tokens => processor.added_tokens(false),
            _ => 0,
        }
    }

    /// The tokens that are kept, and how many the whole text has. More are kept than fit where there
    /// is no room for the special ones.
    fn encode_imported(
        &self,
        text: &str,
        spec: &TextSpec,
    ) -> Result<(Vec<i64>, usize), TokenizerError> {
        let mut pieces = self.pieces(text)?;
        let special = self.special(spec);
        let total = pieces.len() + special;
        let direction = match spec.truncation_side {
            Side::Left => TruncationDirection::Left,
            Side::Right => TruncationDirection::Right,
        };
        pieces.truncate(spec.max_tokens.saturating_sub(special), 0, direction);
        let whole = self
            .inner
            .post_process(pieces, None, spec.add_special_tokens)
            .map_err(cannot_encode)?;
        Ok((numbers(&whole).collect(), total))
    }

    /// What the crate makes of a text or a part of one, without special tokens.
    fn pieces(&self, text: &str) -> Result<Encoding, TokenizerError> {
        self.inner.encode_fast(text, false).map_err(cannot_encode)
    }
}

fn numbers(encoding: &Encoding) -> impl Iterator<Item = i64> {
    encoding.get_ids().iter().map(|&id| i64::from(id))
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Thousands of words would drown every failing test.
        write!(f, "Tokenizer({} tokens)", self.vocabulary_size())
    }
}

/// The crate's tokeniser of these words, by our rules.
fn assemble(vocabulary: HashMap<String, u32>) -> Result<tokenizers::Tokenizer, TokenizerError> {
    let model = WordLevel::builder()
        .vocab(vocabulary.into_iter().collect())
        .unk_token(SPECIAL[super::UNKNOWN as usize].to_owned())
        .build()
        .map_err(format)?;
    let start = SPECIAL[super::START as usize];
    let template = TemplateProcessing::builder()
        .try_single(format!("{start} $A"))
        .map_err(format)?
        .special_tokens(vec![SpecialToken::from((start, super::START as u32))])
        .build()
        .map_err(format)?;
    let mut inner = tokenizers::Tokenizer::new(model);
    inner
        .with_normalizer(Some(normalizer()?))
        .map_err(format)?
        .with_pre_tokenizer(Some(splitter()?))
        .with_post_processor(Some(template));
    Ok(inner)
}

fn normalizer() -> Result<Sequence, TokenizerError> {
    let replace = |pattern: ReplacePattern, by| Replace::new(pattern, by).map_err(format);
    Ok(Sequence::new(vec![
        NormalizerWrapper::Replace(replace(ReplacePattern::Regex(LINE_BREAK.to_owned()), " ")?),
        NormalizerWrapper::Replace(replace(ReplacePattern::String("’".to_owned()), "'")?),
        NormalizerWrapper::Lowercase(Lowercase),
    ]))
}

// Splits at everything that is not a word, and throws that away.
fn splitter() -> Result<Split, TokenizerError> {
    let words = SplitPattern::Regex(WORD.to_owned());
    Split::new(words, SplitDelimiterBehavior::Removed, true).map_err(format)
}

fn count_words(
    normalizer: &Sequence,
    splitter: &Split,
    text: &str,
    counts: &mut HashMap<String, u64>,
) -> Result<(), TokenizerError> {
    let mut text = NormalizedString::from(text);
    normalizer.normalize(&mut text).map_err(format)?;
    let mut words = PreTokenizedString::from(text);
    splitter.pre_tokenize(&mut words).map_err(format)?;
    for (word, ..) in words.get_splits(OffsetReferential::Normalized, OffsetType::None) {
        if let Some(count) = counts.get_mut(word) {
            *count += 1;
        } else {
            counts.insert(word.to_owned(), 1);
        }
    }
    Ok(())
}

fn format(error: impl Display) -> TokenizerError {
    TokenizerError(format!("tokenizer.json: {error}"))
}

/// Never of a tokeniser that [`Tokenizer::train`] made, which has a token for every word.
fn cannot_encode(error: impl Display) -> TokenizerError {
    TokenizerError(format!("text cannot be tokenised: {error}"))
}

#[cfg(test)]
mod tests;
