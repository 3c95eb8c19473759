//! Requests of texts: IMDB's test reviews, or words put together.

use std::path::Path;

use clap::ValueEnum;
use quintet_data::imdb;
use quintet_proto::v1::SentimentScoreRequest;
use serde::Serialize;

use super::{Payload, Rpc, groups};
use crate::failure::Failure;

/// Different texts; the same of every run.
const TEXTS: usize = 2048;
/// Words of generated texts.
const REVIEW_WORDS: std::ops::Range<usize> = 60..420;
const SENTENCE_WORDS: std::ops::Range<usize> = 4..24;
const WORDS: &str = "\
    the a of and to in it is was this that film movie story plot scene actor acting director \
    character time hour end beginning good bad great awful boring wonderful funny sad slow \
    long old new love hate waste see watch think feel never always very not but";

// No doc comments on the variants: clap would print them, and each help in its long form for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Mix {
    Both,
    Reviews,
    Sentences,
}

/// Texts to score, at least one.
#[derive(Clone, Debug)]
pub(in super::super) struct Texts(Vec<String>);

impl Texts {
    /// Test reviews of IMDB, or without a folder words without sense.
    pub(in super::super) fn load(data_dir: Option<&Path>, mix: Mix) -> Result<Self, Failure> {
        let Some(data_dir) = data_dir else {
            return Ok(Self::generated(mix));
        };
        let texts = imdb::sample(data_dir, TEXTS, |index| mix.whole(index));
        texts.map(Self).map_err(|error| {
            Failure::new(error.to_string())
                .hint("--data-dir names the folder with the IMDB reviews")
        })
    }

    /// Words without sense, of the lengths of reviews and of sentences, always the same.
    fn generated(mix: Mix) -> Self {
        let mut random = fastrand::Rng::with_seed(0);
        let words: Vec<&str> = WORDS.split_whitespace().collect();
        let texts = (0..TEXTS).map(|index| {
            let range = if mix.whole(index) {
                REVIEW_WORDS
            } else {
                SENTENCE_WORDS
            };
            let count = random.usize(range);
            let words = std::iter::repeat_with(|| words[random.usize(..words.len())]);
            words.take(count).collect::<Vec<_>>().join(" ")
        });
        Self(texts.collect())
    }

    /// For SentimentScore.
    pub(in super::super) fn score(&self, model: &str, rows: usize) -> Payload {
        let requests = groups(&self.0, rows).map(|texts| SentimentScoreRequest {
            texts,
            model: model.to_owned(),
            ..SentimentScoreRequest::default()
        });
        Payload::new(Rpc::SentimentScore, rows, requests)
    }
}

impl Mix {
    /// Whether the text at this place is a whole review.
    fn whole(self, index: usize) -> bool {
        match self {
            Self::Both => index.is_multiple_of(2),
            Self::Reviews => true,
            Self::Sentences => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::bench::framing::unframe;

    #[test]
    fn the_mix_is_what_was_asked_for() {
        for mix in [Mix::Both, Mix::Reviews, Mix::Sentences] {
            let generated = Texts::generated(mix).0;
            assert_eq!(generated.len(), TEXTS);
            for (index, text) in generated.iter().enumerate() {
                let words = text.split(' ').count();
                assert_eq!(mix.whole(index), REVIEW_WORDS.contains(&words), "{words}");
            }
        }
    }

    #[test]
    fn every_text_is_sent_and_every_request_is_full() {
        let texts = Texts(["a", "b", "c"].map(String::from).to_vec());
        let payload = texts.score("lstm", 2);
        let sent = [(); 3].map(|()| {
            let body = unframe(payload.next()).unwrap();
            let request = SentimentScoreRequest::decode(body).unwrap();
            assert_eq!(request.model, "lstm");
            request.texts.concat()
        });
        assert_eq!(sent, ["ab", "ca", "ab"]);
    }
}
