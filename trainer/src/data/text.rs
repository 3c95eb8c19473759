//! Reviews as tokens.

use quintet_bundle::text::{PADDING, Tokenizer, TokenizerError};
use tch::{Device, Kind, Tensor};

use super::Samples;

/// Tokens that a network reads of a review, the last ones of a longer review.
pub const MAX_TOKENS: usize = 200;

/// Whole texts as tokens, one behind the other.
#[derive(Debug)]
pub struct Texts {
    /// int32 `[all]`.
    pub tokens: Tensor,
    /// How many tokens each text has, int64 `[n]`, each at least 1.
    pub lengths: Tensor,
    // Where each text begins in `tokens`, int64 `[n]`.
    begins: Tensor,
}

// === impl Texts ===

impl Texts {
    /// Encodes `texts` with all their tokens, on the CPU.
    pub fn encode<T: AsRef<str>>(
        tokenizer: &Tokenizer,
        texts: &[T],
    ) -> Result<Self, TokenizerError> {
        let (mut tokens, mut lengths) = (Vec::new(), Vec::with_capacity(texts.len()));
        for text in texts {
            let encoded = tokenizer.encode(text.as_ref(), usize::MAX)?.tokens;
            lengths.push(encoded.len() as i64);
            tokens.extend(encoded.into_iter().map(|token| token as i32));
        }
        let (tokens, lengths) = (Tensor::from_slice(&tokens), Tensor::from_slice(&lengths));
        Ok(Self::new(tokens, lengths))
    }

    /// Texts of `lengths` tokens, int64 `[n]`, that stand in `tokens`, int32 `[all]`.
    pub fn new(tokens: Tensor, lengths: Tensor) -> Self {
        let begins = lengths.cumsum(0, Kind::Int64) - &lengths;
        Self {
            tokens,
            lengths,
            begins,
        }
    }

    /// The same texts on `device`.
    #[must_use]
    pub fn to_device(&self, device: Device) -> Self {
        Self::new(
            self.tokens.to_device(device),
            self.lengths.to_device(device),
        )
    }

    /// Some of the texts: those that `choose` takes from what there is one of for each text.
    #[must_use]
    pub fn choose(&self, choose: impl Fn(&Tensor) -> Tensor) -> Self {
        Self {
            tokens: self.tokens.shallow_clone(),
            lengths: choose(&self.lengths),
            begins: choose(&self.begins),
        }
    }

    /// The last [`MAX_TOKENS`] of each text, as [`Texts::windows`] gives them.
    pub fn ends(&self) -> Vec<Tensor> {
        self.windows(&(&self.lengths - MAX_TOKENS as i64).clamp_min(0))
    }

    /// What a network takes: the tokens of each text from its place in `starts`, int64 `[n]`, at
    /// most [`MAX_TOKENS`] of them: int64 `[n, L]`, padded, as wide as the longest row; and the
    /// lengths of the rows, int32 `[n]`.
    ///
    /// The start marker is a token as any other: a row has it if it starts where its text does, as
    /// [`Tokenizer::encode`] leaves it.
    pub fn windows(&self, starts: &Tensor) -> Vec<Tensor> {
        let lengths = (&self.lengths - starts).clamp_max(MAX_TOKENS as i64);
        let width = match lengths.numel() {
            0 => 0,
            _ => lengths.max().int64_value(&[]),
        };
        let places = Tensor::arange(width, (Kind::Int64, self.lengths.device())).unsqueeze(0);
        let behind = places.ge_tensor(&lengths.unsqueeze(1));
        let first = (&self.begins + starts).unsqueeze(1);
        let index = (first + places).masked_fill(&behind, 0);
        let tokens = self.tokens.take(&index).to_kind(Kind::Int64);
        vec![
            tokens.masked_fill(&behind, PADDING),
            lengths.to_kind(Kind::Int),
        ]
    }
}

// === impl Samples ===

impl Samples {
    /// Labelled texts, of which a network reads the ends.
    pub fn from_texts(texts: Texts, labels: &[u8]) -> Self {
        let labels: Vec<i64> = labels.iter().map(|&label| i64::from(label)).collect();
        Self {
            inputs: texts.ends(),
            labels: Tensor::from_slice(&labels).to_device(texts.lengths.device()),
            texts: Some(texts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(inputs: &[Tensor]) -> Vec<Vec<i64>> {
        let lengths = Vec::<i32>::try_from(&inputs[1]).unwrap();
        assert_eq!(inputs[0].size()[0], lengths.len() as i64);
        let row = |(index, &length): (usize, &i32)| {
            let row = Vec::<i64>::try_from(inputs[0].get(index as i64)).unwrap();
            let (row, padding) = row.split_at(length as usize);
            assert!(padding.iter().all(|&it| it == PADDING), "{padding:?}");
            row.to_vec()
        };
        lengths.iter().enumerate().map(row).collect()
    }

    #[test]
    fn the_ends_are_what_the_tokeniser_keeps() {
        let tokenizer = Tokenizer::train(["good good bad"], 10).unwrap();
        let long = "bad ".repeat(300) + "good";
        let all = ["good bad", "", &long, &long[4 * 101..], "never seen"];
        let texts = Texts::encode(&tokenizer, &all).unwrap();
        let kept = all.map(|text| tokenizer.encode(text, MAX_TOKENS).unwrap().tokens);
        assert_eq!(rows(&texts.ends()), kept);
        assert_eq!(texts.ends()[0].size(), [5, 200]);
        // The fourth text has 201 tokens with its start marker, so the marker is what is left out.
        assert_eq!((kept[3].len(), kept[3][0]), (200, 4));

        let few = texts.choose(|it| it.index_select(0, &Tensor::from_slice(&[1_i64, 0])));
        assert_eq!(rows(&few.ends()), [vec![1], vec![1, 3, 4]]);
        let none = texts.choose(|it| it.narrow(0, 0, 0));
        assert_eq!(none.ends()[0].size(), [0, 0]);
    }

    #[test]
    fn windows_are_parts_of_their_texts() {
        let tokens: Vec<i32> = (0..700).collect();
        let lengths = Tensor::from_slice(&[450_i64, 3, 247]);
        let texts = Texts::new(Tensor::from_slice(&tokens), lengths);
        let windows = rows(&texts.windows(&Tensor::from_slice(&[17_i64, 0, 0])));
        let from = |start: i64, count: i64| (start..start + count).collect::<Vec<_>>();
        assert_eq!(windows, [from(17, 200), from(450, 3), from(453, 200)]);
    }
}
