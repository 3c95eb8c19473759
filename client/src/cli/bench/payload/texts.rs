//! Requests of texts: IMDB's test reviews, or words put together.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::str::FromStr;

use quintet_data::imdb;
use quintet_proto::v1::SentimentScoreRequest;
use serde::{Serialize, Serializer};

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

/// Which texts are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Mix {
    /// Reviews and sentences in turn.
    Both,
    Reviews,
    Sentences,
    /// As many words each.
    Words(NonZeroUsize),
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
        let texts = match mix {
            Mix::Words(words) => imdb::of_words(data_dir, TEXTS, words.get()),
            _ => imdb::sample(data_dir, TEXTS, |index| mix.is_whole(index)),
        };
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
            let count = match mix {
                Mix::Words(words) => words.get(),
                _ if mix.is_whole(index) => random.usize(REVIEW_WORDS),
                _ => random.usize(SENTENCE_WORDS),
            };
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
    fn is_whole(self, index: usize) -> bool {
        match self {
            Self::Both => index.is_multiple_of(2),
            Self::Reviews => true,
            Self::Sentences | Self::Words(_) => false,
        }
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "both" => Ok(Self::Both),
            "reviews" => Ok(Self::Reviews),
            "sentences" => Ok(Self::Sentences),
            _ => text.parse().map(Self::Words).map_err(|_| {
                "allowed: both, reviews, sentences, or a number of words from 1 on".to_owned()
            }),
        }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Both => out.write_str("both"),
            Self::Reviews => out.write_str("reviews"),
            Self::Sentences => out.write_str("sentences"),
            Self::Words(words) => write!(out, "{words}"),
        }
    }
}

impl Serialize for Mix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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
                assert_eq!(
                    mix.is_whole(index),
                    REVIEW_WORDS.contains(&words),
                    "{words}"
                );
            }
        }
    }

    #[test]
    fn a_number_of_words_is_a_mix() {
        let mix: Mix = "16".parse().unwrap();
        let generated = Texts::generated(mix).0;
        assert!(generated.iter().all(|text| text.split(' ').count() == 16));
        for name in ["both", "reviews", "sentences", "16"] {
            assert_eq!(name.parse::<Mix>().unwrap().to_string(), name);
        }
        for wrong in ["0", "-1", "Both", ""] {
            assert!(wrong.parse::<Mix>().is_err(), "{wrong}");
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
