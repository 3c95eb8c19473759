//! Texts and pairs of texts, as a tokeniser that came with another model reads them.

use std::error::Error;
use std::panic::{self, AssertUnwindSafe};

use tokenizers::{
    Encoding, PostProcessor as _, TruncationDirection, TruncationParams, TruncationStrategy,
    truncate_encodings,
};

use super::{Encoded, Tokenizer, TokenizerError, cannot_encode, cut, format, numbers};
use crate::text::{Side, TextSpec};

/// How a tokeniser joins two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairs {
    /// It does not: nothing would stand between them.
    None,
    /// The tokens of both have type 0.
    Untyped,
    /// The tokens of the second text have a type of their own.
    Typed,
}

/// What the crate gives. Some files make it panic, such as one whose decoder is a text, or whose
/// template names a token that the file does not define.
pub(super) fn caught<T>(
    work: impl FnOnce() -> tokenizers::Result<T>,
) -> Result<T, Box<dyn Error + Send + Sync>> {
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    result.unwrap_or_else(|_| Err("the tokenizers crate cannot use it".into()))
}

impl Pairs {
    /// How the tokeniser of this file does.
    ///
    /// # Errors
    /// Its post-processor fails.
    pub(super) fn of(inner: &tokenizers::Tokenizer) -> Result<Self, TokenizerError> {
        let example = |pair: Option<Encoding>| {
            let join = || inner.post_process(Encoding::default(), pair, true);
            caught(join).map_err(format)
        };
        let single = example(None)?;
        let pair = example(Some(Encoding::default()))?;
        Ok(if pair.len() <= single.len() {
            Self::None
        } else if pair.get_type_ids().iter().all(|it| *it == 0) {
            Self::Untyped
        } else {
            Self::Typed
        })
    }
}

impl Tokenizer {
    /// The tokens of a text and its pair, and how many there are in all. Special ones are cut only
    /// where there is no room for them.
    pub(super) fn encode_imported(
        &self,
        text: &str,
        pair: Option<&str>,
        spec: &TextSpec,
    ) -> Result<Encoded, TokenizerError> {
        let pieces = self.pieces(text)?;
        let pair = pair.map(|text| self.pieces(text)).transpose()?;
        let special = match self.inner.get_post_processor() {
            Some(processor) if spec.add_special_tokens => processor.added_tokens(pair.is_some()),
            _ => 0,
        };
        let total = special + pieces.len() + pair.as_ref().map_or(0, Encoding::len);
        let params = TruncationParams {
            direction: match spec.truncation_side {
                Side::Left => TruncationDirection::Left,
                Side::Right => TruncationDirection::Right,
            },
            max_length: spec.max_tokens.saturating_sub(special),
            strategy: TruncationStrategy::LongestFirst,
            stride: 0,
        };
        let (pieces, mut pair) = truncate_encodings(pieces, pair, &params).map_err(format)?;
        if let Some(pair) = &mut pair {
            // A template says so anyway; an older post-processor takes it from here.
            pair.set_type_ids(vec![1; pair.len()]);
        }
        let whole = self
            .inner
            .post_process(pieces, pair, spec.add_special_tokens)
            .map_err(cannot_encode)?;
        let mut tokens: Vec<i64> = numbers(&whole).collect();
        cut(&mut tokens, spec);
        let types = whole.get_type_ids();
        let mut token_type_ids = Vec::new();
        if types.iter().any(|it| *it != 0) {
            token_type_ids.extend(types.iter().map(|&it| i64::from(it)));
            cut(&mut token_type_ids, spec);
        }
        Ok(Encoded {
            truncated: tokens.len() < total,
            words: tokens.len().saturating_sub(special),
            tokens,
            token_type_ids,
            total,
            known: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word-level tokeniser of the letters a to f with this post-processor.
    fn letters(post_processor: &str) -> Tokenizer {
        let json = format!(
            r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],
            "normalizer":null,"pre_tokenizer":{{"type":"Whitespace"}},"decoder":null,
            "post_processor":{post_processor},
            "model":{{"type":"WordLevel","unk_token":"[UNK]","vocab":{{"[UNK]":0,"[CLS]":1,
                "[SEP]":2,"a":3,"b":4,"c":5,"d":6,"e":7,"f":8}}}}}}"#
        );
        Tokenizer::from_bytes(json.as_bytes()).unwrap()
    }

    const BERT: &str = r#"{"type":"BertProcessing","sep":["[SEP]",2],"cls":["[CLS]",1]}"#;
    const ROBERTA: &str = r#"{"type":"RobertaProcessing","sep":["[SEP]",2],"cls":["[CLS]",1],
        "trim_offsets":true,"add_prefix_space":false}"#;

    fn spec(max_tokens: usize, truncation_side: Side) -> TextSpec {
        TextSpec {
            max_tokens,
            truncation_side,
            add_special_tokens: true,
            pad_token_id: 0,
            clean_text: false,
        }
    }

    #[test]
    fn pairs_are_joined_as_the_post_processor_says() {
        let spec = spec(9, Side::Right);
        let bert = letters(BERT);
        assert_eq!(bert.pairs(), Pairs::Typed);
        let pair = bert.encode_pair("a b", "c", &spec).unwrap();
        assert_eq!(pair.tokens, [1, 3, 4, 2, 5, 2]);
        assert_eq!(pair.token_type_ids, [0, 0, 0, 0, 1, 1]);
        assert_eq!((pair.words, pair.known, pair.truncated), (3, 3, false));

        let roberta = letters(ROBERTA);
        assert_eq!(roberta.pairs(), Pairs::Untyped);
        let pair = roberta.encode_pair("a b", "c", &spec).unwrap();
        assert_eq!(pair.tokens, [1, 3, 4, 2, 2, 5, 2]);
        assert!(pair.token_type_ids.is_empty());

        let plain = letters("null");
        assert_eq!(plain.pairs(), Pairs::None);
        assert!(plain.encode_pair("a b", "c", &spec).is_err());
    }

    /// The expected tokens are those of `transformers` with `truncation=True`.
    #[test]
    fn the_longer_text_of_a_pair_is_cut_first() {
        let encode = |max_tokens, side, text, pair| {
            let spec = spec(max_tokens, side);
            let encoded = letters(BERT).encode_pair(text, pair, &spec).unwrap();
            assert!(encoded.truncated);
            (encoded.tokens, encoded.total)
        };
        let long = "a b c d e";
        let expected = (vec![1, 3, 4, 5, 2, 8, 2], 9);
        assert_eq!(encode(7, Side::Right, long, "f"), expected);
        let expected = (vec![1, 5, 6, 7, 2, 8, 2], 9);
        assert_eq!(encode(7, Side::Left, long, "f"), expected);
        let expected = (vec![1, 3, 4, 2, 3, 4, 5, 2], 13);
        assert_eq!(encode(8, Side::Right, long, long), expected);
    }
}
