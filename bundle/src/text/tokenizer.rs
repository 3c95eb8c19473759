//! Words to numbers.

mod imported;
mod known;
mod pieces;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Display};

use tokenizers::models::wordlevel::WordLevel;
use tokenizers::normalizers::replace::{Replace, ReplacePattern};
use tokenizers::normalizers::{Lowercase, NormalizerWrapper, Sequence};
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::processors::template::{SpecialToken, TemplateProcessing};
use tokenizers::{
    Encoding, NormalizedString, Normalizer as _, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer as _, SplitDelimiterBehavior,
};

pub use imported::Pairs;
use imported::caught;
use known::Known;

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
    known: Known,
    /// How many numbers from 0 on its tokens have.
    size: usize,
    pairs: Pairs,
}

/// A text as a network reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The tokens, at least one; of a longer text those at the end that is kept.
    pub tokens: Vec<i64>,
    /// Which text of a pair each token belongs to; empty where all belong to the first.
    pub token_type_ids: Vec<i64>,
    /// Whether tokens were left out.
    pub truncated: bool,
    /// How many tokens the whole text has.
    pub total: usize,
    /// How many of `tokens` stand for words or parts of words: all but special ones, and marks
    /// without a letter or a digit.
    pub words: usize,
    /// How many of these are in the vocabulary, and do not spell a word in pieces of less than three
    /// letters each on average.
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
        let size = size(&vocabulary);
        Ok(Self {
            size,
            known: Known::of(&vocabulary, size),
            scanner: Some(Scanner::new(&vocabulary)),
            inner: assemble(vocabulary)?,
            pairs: Pairs::None,
        })
    }

    /// Reads `tokenizer.json`, one that [`Tokenizer::to_bytes`] wrote or one that came with another
    /// model.
    pub fn from_bytes(json: &[u8]) -> Result<Self, TokenizerError> {
        let read = || tokenizers::Tokenizer::from_bytes(json);
        let mut inner = caught(read).map_err(format)?;
        // A text that spells `[CLS]` is a text, not a command; and its length is the caller's.
        inner.set_encode_special_tokens(true);
        inner.with_truncation(None).map_err(format)?;
        inner.with_padding(None);
        let pairs = Pairs::of(&inner)?;
        let vocabulary: HashMap<String, u32> = inner.get_vocab(true).into_iter().collect();
        let size = size(&vocabulary);
        let imported = Self {
            inner,
            scanner: None,
            known: Known::of(&vocabulary, size),
            size,
            pairs,
        };
        let numbers = SPECIAL.map(|token| vocabulary.get(token).copied());
        if numbers == [Some(0), Some(1), Some(2)]
            && let Ok(own) = Self::of(vocabulary)
            && own.to_bytes()? == imported.to_bytes()?
        {
            return Ok(own);
        }
        Ok(imported)
    }

    /// The tokeniser as `tokenizer.json`; the same tokeniser gives the same bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TokenizerError> {
        let mut json = self.inner.to_string(false).map_err(format)?;
        json.push('\n');
        Ok(json.into_bytes())
    }

    /// How many numbers from 0 on its tokens have.
    pub fn vocabulary_size(&self) -> usize {
        self.size
    }

    /// How it joins two texts.
    pub fn pairs(&self) -> Pairs {
        self.pairs
    }

    /// The number of this token.
    pub fn token(&self, token: &str) -> Option<i64> {
        self.inner.token_to_id(token).map(i64::from)
    }

    /// The token of this number.
    pub fn spelling(&self, number: i64) -> Option<String> {
        self.inner.id_to_token(u32::try_from(number).ok()?)
    }

    /// Whether ASCII text is read without the `tokenizers` crate, many times faster.
    pub fn is_fast(&self) -> bool {
        self.scanner.is_some()
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
        let text = cleaned(text, spec);
        let encoded = match &self.scanner {
            Some(scanner) => self.scan(scanner, &text, spec)?,
            None => self.encode_imported(&text, None, spec)?,
        };
        self.checked(encoded)
    }

    /// The tokens of two texts, joined as [`Tokenizer::pairs`] says. Of a pair that is too long, the
    /// longer text is cut first, as Hugging Face's strategy `longest_first` does.
    ///
    /// # Errors
    /// The tokeniser does not join texts, or fails.
    pub fn encode_pair(
        &self,
        text: &str,
        pair: &str,
        spec: &TextSpec,
    ) -> Result<Encoded, TokenizerError> {
        if self.pairs == Pairs::None {
            let problem = "the tokeniser does not join two texts";
            return Err(TokenizerError(problem.to_owned()));
        }
        let (text, pair) = (cleaned(text, spec), cleaned(pair, spec));
        self.checked(self.encode_imported(&text, Some(&pair), spec)?)
    }

    /// The tokens of a text by the fast path.
    fn scan(
        &self,
        scanner: &Scanner,
        text: &str,
        spec: &TextSpec,
    ) -> Result<Encoded, TokenizerError> {
        let mut tokens = Vec::new();
        if spec.add_special_tokens {
            tokens.push(super::START);
        }
        scanner.scan(text, &mut tokens, |piece, tokens| {
            tokens.extend(numbers(&self.pieces(piece)?));
            Ok(())
        })?;
        let total = tokens.len();
        cut(&mut tokens, spec);
        Ok(Encoded {
            truncated: tokens.len() < total,
            words: tokens.iter().filter(|&&it| it != super::START).count(),
            tokens,
            token_type_ids: Vec::new(),
            total,
            known: 0,
        })
    }

    /// The same with the known words counted.
    fn checked(&self, encoded: Encoded) -> Result<Encoded, TokenizerError> {
        if encoded.tokens.is_empty() {
            return Err(TokenizerError("text gives no tokens".to_owned()));
        }
        let special = encoded.tokens.len() - encoded.words;
        let (words, known) = self.known.count(&encoded.tokens, special);
        Ok(Encoded {
            words,
            known,
            ..encoded
        })
    }

    /// What the crate makes of a text or a part of one, without special tokens.
    fn pieces(&self, text: &str) -> Result<Encoding, TokenizerError> {
        caught(|| self.inner.encode_fast(text, false)).map_err(cannot_encode)
    }
}

fn cleaned<'t>(text: &'t str, spec: &TextSpec) -> Cow<'t, str> {
    if spec.clean_text {
        clean(text)
    } else {
        Cow::Borrowed(text)
    }
}

/// Leaves `max_tokens` at the side that `spec` says.
fn cut(tokens: &mut Vec<i64>, spec: &TextSpec) {
    match spec.truncation_side {
        Side::Left => drop(tokens.drain(..tokens.len().saturating_sub(spec.max_tokens))),
        Side::Right => tokens.truncate(spec.max_tokens),
    }
}

fn size(vocabulary: &HashMap<String, u32>) -> usize {
    let last = vocabulary.values().max();
    last.map_or(0, |&last| last as usize + 1)
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
