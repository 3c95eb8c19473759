//! Which tokens stand for words, and for words that a model knows.

use std::collections::HashMap;

use super::pieces::Pieces;

/// Says so of the tokens of a vocabulary.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// The token of words that are not in the vocabulary; none where every text can be spelled.
    unknown: Option<i64>,
    /// By number: whether it has neither a letter nor a digit.
    marks: Vec<bool>,
    /// The pieces of words, where they come in such.
    pieces: Option<Pieces>,
}

impl Known {
    /// `size`: how many numbers from 0 on the tokens have.
    pub(super) fn of(vocabulary: &HashMap<String, u32>, size: usize) -> Self {
        let mut marks = vec![false; size];
        for (text, number) in vocabulary {
            // Tokenisers of bytes write a space so, which is a letter to Unicode.
            let text = text.trim_start_matches('Ġ');
            marks[*number as usize] = !text.chars().any(char::is_alphanumeric);
        }
        let unknown = ["[UNK]", "<unk>"].iter().find_map(|it| vocabulary.get(*it));
        Self {
            unknown: unknown.map(|&token| token.into()),
            marks,
            pieces: Pieces::of(vocabulary, size),
        }
    }

    /// How many of `tokens` stand for words or pieces of words, and how many of these are known.
    /// `special` of them are special ones.
    pub(super) fn count(&self, tokens: &[i64], special: usize) -> (usize, usize) {
        let is_mark = |token: &&i64| self.marks.get(**token as usize) == Some(&true);
        let marks = tokens.iter().filter(is_mark).count();
        let words = tokens.len().saturating_sub(special + marks);
        let is_unknown = |token: &&i64| Some(**token) == self.unknown;
        let unknown = tokens.iter().filter(is_unknown).count();
        let pieces = self.pieces.as_ref();
        let spelling = pieces.map_or(0, |it| it.spelling(tokens));
        (words, words.saturating_sub(unknown + spelling))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_no_words() {
        let words = [
            "[UNK]", "[CLS]", "!", "##.", "Ġ", "Ġ?", "good", "##n", "7", "这",
        ];
        let vocabulary = words.map(str::to_owned).into_iter().zip(0..).collect();
        let known = Known::of(&vocabulary, words.len());
        for (tokens, special, expected) in [
            (&[][..], 0, (0, 0)),
            (&[1], 1, (0, 0)),
            (&[1, 2, 2, 3, 4, 5], 1, (0, 0)),
            (&[1, 6, 2], 1, (1, 1)),
            (&[1, 0, 2, 2], 1, (1, 0)),
            (&[6, 8, 9], 0, (3, 3)),
        ] {
            assert_eq!(known.count(tokens, special), expected, "{tokens:?}");
        }
    }
}
