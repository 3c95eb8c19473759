//! Texts as tokens.

use quintet_bundle::text::{PADDING, TextSpec, Tokenizer, TokenizerError};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::Samples;

/// How texts become tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenizerSettings {
    /// Tokens that the tokeniser learns, with the special ones.
    pub vocabulary_size: usize,
    /// Tokens that a network reads of a text: the last ones of a longer text.
    pub max_tokens: usize,
}

/// Whole texts as tokens, one after the other.
#[derive(Debug)]
pub struct Texts {
    /// int32 `[all]`.
    pub tokens: Tensor,
    /// How many tokens each text has, int64 `[n]`, each at least 1.
    pub lengths: Tensor,
    /// Tokens that a network reads of a text.
    pub max_tokens: usize,
    /// What stands around the tokens that are read.
    pub frame: Frame,
    /// The probability of the second class that another classifier gives each text, float32 `[n]`;
    /// NaN where none does.
    pub scores: Tensor,
    // Where each text begins in `tokens`, int64 `[n]`.
    begins: Tensor,
}

/// The special tokens around a text, such as `[CLS]` and `[SEP]`: they stay when it is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    before: Vec<i64>,
    after: Vec<i64>,
}

impl Frame {
    /// What `tokenizer` puts around texts; nothing if its special token is cut off with a text's
    /// start, as one that [`Tokenizer::train`] made does.
    pub fn of(tokenizer: &Tokenizer) -> Result<Self, TokenizerError> {
        if tokenizer.is_fast() {
            return Ok(Self::default());
        }
        let encode = |add_special_tokens| {
            let spec = TextSpec {
                add_special_tokens,
                ..TextSpec::end_of(usize::MAX)
            };
            Ok(tokenizer.encode("a", &spec)?.tokens)
        };
        let (whole, text) = (encode(true)?, encode(false)?);
        let mut places = 0..=whole.len() - text.len();
        let start = places.find(|&it| whole[it..].starts_with(&text));
        let (before, rest) = whole.split_at(start.unwrap_or_default());
        Ok(Self {
            before: before.to_vec(),
            after: rest[text.len()..].to_vec(),
        })
    }

    /// The text's own tokens, of all that it is encoded as.
    fn within<'t>(&self, tokens: &'t [i64]) -> &'t [i64] {
        &tokens[self.before.len()..tokens.len() - self.after.len()]
    }

    /// How many tokens it has.
    fn len(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// Puts the frame around rows of `tokens` int64 `[n, L]` and `lengths` int64 `[n]`.
    fn surround(&self, tokens: &Tensor, lengths: &Tensor) -> (Tensor, Tensor) {
        let rows = tokens.size()[0];
        let column = |&token: &i64| Tensor::full([rows, 1], token, (Kind::Int64, tokens.device()));
        let before: Vec<Tensor> = self.before.iter().map(column).collect();
        let room: Vec<Tensor> = self.after.iter().map(|_| column(&PADDING)).collect();
        let parts: Vec<&Tensor> = before.iter().chain([tokens]).chain(&room).collect();
        let mut tokens = Tensor::cat(&parts, 1);
        let ends = lengths + before.len() as i64;
        for (place, token) in self.after.iter().enumerate() {
            let index = (&ends + place as i64).unsqueeze(1);
            let _ = tokens.scatter_value_(1, &index, *token);
        }
        (tokens, ends + self.after.len() as i64)
    }
}

impl Default for TokenizerSettings {
    fn default() -> Self {
        Self {
            vocabulary_size: 10_000,
            max_tokens: 200,
        }
    }
}

impl Texts {
    /// Encodes `texts` as `spec` says, but with all their tokens, on the CPU.
    pub fn encode<T: AsRef<str>>(
        tokenizer: &Tokenizer,
        texts: &[T],
        spec: &TextSpec,
    ) -> Result<Self, TokenizerError> {
        let (mut tokens, mut lengths) = (Vec::new(), Vec::with_capacity(texts.len()));
        let frame = Frame::of(tokenizer)?;
        let whole = TextSpec {
            max_tokens: usize::MAX,
            ..*spec
        };
        for text in texts {
            let encoded = tokenizer.encode(text.as_ref(), &whole)?.tokens;
            let encoded = frame.within(&encoded);
            lengths.push(encoded.len() as i64);
            tokens.extend(encoded.iter().map(|&token| token as i32));
        }
        let (tokens, lengths) = (Tensor::from_slice(&tokens), Tensor::from_slice(&lengths));
        Ok(Self::new(tokens, lengths, spec.max_tokens, frame))
    }

    /// Texts of `lengths` tokens, int64 `[n]`, that stand in `tokens`, int32 `[all]`.
    pub fn new(tokens: Tensor, lengths: Tensor, max_tokens: usize, frame: Frame) -> Self {
        let begins = lengths.cumsum(0, Kind::Int64) - &lengths;
        let options = (Kind::Float, begins.device());
        let scores = Tensor::full(begins.size(), f64::NAN, options);
        Self {
            tokens,
            lengths,
            max_tokens,
            frame,
            scores,
            begins,
        }
    }

    /// The same texts with other scores.
    #[must_use]
    pub fn with_scores(self, scores: Tensor) -> Self {
        Self { scores, ..self }
    }

    /// These texts, and then `others` `repeat` times.
    #[must_use]
    pub fn followed_by(&self, others: &Self, repeat: usize) -> Self {
        let all = |own: &Tensor, other: &Tensor| {
            let others = std::iter::repeat_n(other, repeat);
            Tensor::cat(&std::iter::once(own).chain(others).collect::<Vec<_>>(), 0)
        };
        let begins = &others.begins + self.tokens.numel() as i64;
        Self {
            tokens: Tensor::cat(&[&self.tokens, &others.tokens], 0),
            lengths: all(&self.lengths, &others.lengths),
            max_tokens: self.max_tokens,
            frame: self.frame.clone(),
            scores: all(&self.scores, &others.scores),
            begins: all(&self.begins, &begins),
        }
    }

    /// The same texts on `device`.
    #[must_use]
    pub fn to_device(&self, device: Device) -> Self {
        let (tokens, lengths) = (
            self.tokens.to_device(device),
            self.lengths.to_device(device),
        );
        Self {
            scores: self.scores.to_device(device),
            ..Self::new(tokens, lengths, self.max_tokens, self.frame.clone())
        }
    }

    /// Some of the texts: those that `choose` takes from a tensor with one element a text.
    #[must_use]
    pub fn choose(&self, choose: impl Fn(&Tensor) -> Tensor) -> Self {
        Self {
            tokens: self.tokens.shallow_clone(),
            lengths: choose(&self.lengths),
            max_tokens: self.max_tokens,
            frame: self.frame.clone(),
            scores: choose(&self.scores),
            begins: choose(&self.begins),
        }
    }

    /// All tokens of each text.
    pub fn rows(&self) -> Vec<Vec<i64>> {
        let numbers = |tensor: &Tensor| {
            let tensor = tensor.to_device(Device::Cpu).to_kind(Kind::Int64);
            Vec::<i64>::try_from(tensor).expect("tokens and lengths have one axis")
        };
        let (tokens, begins) = (numbers(&self.tokens), numbers(&self.begins));
        let lengths = numbers(&self.lengths).into_iter();
        let row = |(begin, length)| tokens[begin as usize..(begin + length) as usize].to_vec();
        begins.into_iter().zip(lengths).map(row).collect()
    }

    /// The last tokens of each text, as [`Texts::windows`] gives them.
    pub fn ends(&self) -> Vec<Tensor> {
        self.windows(&self.last_starts())
    }

    /// Where the last tokens of each text start, int64 `[n]`.
    pub fn last_starts(&self) -> Tensor {
        (&self.lengths - self.room()).clamp_min(0)
    }

    /// Tokens of a text that a network reads, without those around it.
    fn room(&self) -> i64 {
        self.max_tokens.saturating_sub(self.frame.len()) as i64
    }

    /// What a network takes: at most `max_tokens` tokens of each text from its place in `starts`,
    /// int64 `[n]`, as int64 `[n, L]`, padded to the longest row; and the lengths of the rows,
    /// int32 `[n]`.
    ///
    /// A row has the start marker if it starts where its text does, as with [`Tokenizer::encode`].
    pub fn windows(&self, starts: &Tensor) -> Vec<Tensor> {
        let lengths = (&self.lengths - starts).clamp_max(self.room());
        let width = match lengths.numel() {
            0 => 0,
            _ => lengths.max().int64_value(&[]),
        };
        let places = Tensor::arange(width, (Kind::Int64, self.lengths.device())).unsqueeze(0);
        let behind = places.ge_tensor(&lengths.unsqueeze(1));
        let first = (&self.begins + starts).unsqueeze(1);
        let index = (first + places).masked_fill(&behind, 0);
        let tokens = self.tokens.take(&index).to_kind(Kind::Int64);
        let tokens = tokens.masked_fill(&behind, PADDING);
        let (tokens, lengths) = self.frame.surround(&tokens, &lengths);
        vec![tokens, lengths.to_kind(Kind::Int)]
    }
}

impl Samples {
    /// Texts of which a network reads the ends, and their labels int64 `[n]`.
    pub fn from_texts(texts: Texts, labels: Tensor) -> Self {
        Self {
            inputs: texts.ends(),
            labels,
            texts: Some(texts),
        }
    }

    /// The same samples, short texts first, so that a slice of them needs little padding.
    #[must_use]
    pub fn by_length(self) -> Self {
        let Some(texts) = &self.texts else {
            return self;
        };
        let order = texts.lengths.argsort_stable(true, 0, false);
        self.select(&Vec::<i64>::try_from(order.to_device(Device::Cpu)).expect("int64 [n]"))
    }

    /// These texts, and then `others` `repeat` times. Samples without texts are unchanged.
    #[must_use]
    pub fn followed_by(self, others: &Self, repeat: usize) -> Self {
        let (Some(texts), Some(further)) = (&self.texts, &others.texts) else {
            return self;
        };
        let others = std::iter::repeat_n(&others.labels, repeat);
        let labels = std::iter::once(&self.labels).chain(others);
        Self::from_texts(
            texts.followed_by(further, repeat),
            Tensor::cat(&labels.collect::<Vec<_>>(), 0),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_TOKENS: usize = 200;

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
        let texts = Texts::encode(&tokenizer, &all, &TextSpec::end_of(MAX_TOKENS)).unwrap();
        let kept = all.map(|text| {
            tokenizer
                .encode(text, &TextSpec::end_of(MAX_TOKENS))
                .unwrap()
                .tokens
        });
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
    fn by_length_the_short_come_first_and_keep_their_labels() {
        let lengths = Tensor::from_slice(&[4_i64, 1, 3]);
        let texts = Texts::new(
            Tensor::arange(8, (Kind::Int, Device::Cpu)),
            lengths,
            MAX_TOKENS,
            Frame::default(),
        );
        let samples = Samples::from_texts(texts, Tensor::from_slice(&[0_i64, 1, 2])).by_length();
        assert_eq!(samples.label_values(), [1, 2, 0]);
        assert_eq!(
            rows(&samples.inputs),
            [vec![4], vec![5, 6, 7], vec![0, 1, 2, 3]]
        );
    }

    #[test]
    fn what_stands_around_a_text_stays_when_it_is_cut() {
        let frame = Frame {
            before: vec![101],
            after: vec![102, 103],
        };
        let lengths = Tensor::from_slice(&[4_i64, 0, 2]);
        let tokens = Tensor::from_slice(&[11_i32, 12, 13, 14, 21, 22]);
        let texts = Texts::new(tokens, lengths, 6, frame);
        let ends = [
            vec![101, 12, 13, 14, 102, 103],
            vec![101, 102, 103],
            vec![101, 21, 22, 102, 103],
        ];
        assert_eq!(rows(&texts.ends()), ends);
        let starts = Tensor::from_slice(&[0_i64, 0, 0]);
        assert_eq!(
            rows(&texts.windows(&starts))[0],
            [101, 11, 12, 13, 102, 103]
        );
    }

    #[test]
    fn windows_are_parts_of_their_texts() {
        let tokens: Vec<i32> = (0..700).collect();
        let lengths = Tensor::from_slice(&[450_i64, 3, 247]);
        let texts = Texts::new(
            Tensor::from_slice(&tokens),
            lengths,
            MAX_TOKENS,
            Frame::default(),
        );
        let windows = rows(&texts.windows(&Tensor::from_slice(&[17_i64, 0, 0])));
        let from = |start: i64, count: i64| (start..start + count).collect::<Vec<_>>();
        assert_eq!(windows, [from(17, 200), from(450, 3), from(453, 200)]);
    }
}
