//! Words that a tokeniser of word pieces (WordPiece: Schuster and Nakajima 2012) can only spell.
//!
//! Letters and short pieces are in every such vocabulary, so that no text is unknown to it. A word
//! that comes apart into pieces of one or two letters, such as `as ##df`, was hardly ever seen in
//! training.

use std::collections::HashMap;

/// What a piece that goes on with a word begins with.
const CONTINUING: &str = "##";

/// Fewest letters of a word's pieces on average, if the model knows it.
const LEAST_LETTERS: usize = 3;

/// The pieces of a vocabulary.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    /// By number: whether it goes on with a word, and its letters.
    pieces: Vec<(bool, u8)>,
}

impl Pieces {
    /// `None` where words do not come in pieces.
    pub(super) fn of(vocabulary: &HashMap<String, u32>, size: usize) -> Option<Self> {
        let mut pieces = vec![(false, 0); size];
        for (text, number) in vocabulary {
            let rest = text
                .strip_prefix(CONTINUING)
                .filter(|rest| !rest.is_empty());
            let letters = rest.unwrap_or(text).chars().count();
            pieces[*number as usize] = (rest.is_some(), letters.min(255) as u8);
        }
        let has_any = pieces.iter().any(|piece| piece.0);
        has_any.then_some(Self { pieces })
    }

    /// How many of the tokens spell words of too short pieces.
    pub(super) fn spelling(&self, tokens: &[i64]) -> usize {
        let piece = |token: &i64| {
            self.pieces
                .get(*token as usize)
                .copied()
                .unwrap_or_default()
        };
        let words = tokens.chunk_by(|_, next| piece(next).0);
        let is_spelled = |word: &&[i64]| {
            let letters: usize = word.iter().map(|it| usize::from(piece(it).1)).sum();
            word.len() > 1 && letters < LEAST_LETTERS * word.len()
        };
        words.filter(is_spelled).map(<[i64]>::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_pieces_spell_a_word() {
        let words = [
            "[UNK]", "as", "##df", "en", "##thra", "##lling", "##g", "##", "a",
        ];
        let vocabulary = words.map(str::to_owned).into_iter().zip(0..).collect();
        let pieces = Pieces::of(&vocabulary, words.len()).unwrap();
        for (tokens, spelling) in [
            (&[][..], 0),
            (&[1], 0),
            (&[1, 2], 2),
            (&[3, 4, 5], 0),
            (&[3, 4, 5, 1, 2, 8], 2),
            // Cut off within a word; and marks that are words of their own.
            (&[2, 6, 8, 7, 7], 2),
        ] {
            assert_eq!(pieces.spelling(tokens), spelling, "{tokens:?}");
        }
        assert!(
            Pieces::of(
                &HashMap::from([("a".to_owned(), 0), ("##".to_owned(), 1)]),
                2
            )
            .is_none()
        );
    }
}
