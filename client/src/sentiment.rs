//! What `SentimentScore` takes and gives.

use quintet_proto::v1 as wire;

use crate::{classify::Timing, error::Failure};

/// Texts to score, and by which model.
///
/// One text, a list or an array of them turns into a request with the defaults: the server's
/// default sentiment model, its newest version.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentimentRequest(pub(crate) wire::SentimentScoreRequest);

/// The answer to a [`SentimentRequest`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sentiments {
    /// One for each text, in the request's order.
    pub texts: Vec<Sentiment>,
    /// The model that answered.
    pub model: String,
    /// Its version.
    pub version: String,
    /// Where the time went.
    pub timing: Timing,
    /// The call's id (`x-request-id`), which the server's log has too.
    pub request_id: String,
}

/// What the model makes of one text.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Sentiment {
    /// The likelier of the model's two labels, such as "POSITIVE": the positive one from 0.5 on.
    /// "UNKNOWN" where the model knows no word.
    pub label: String,
    /// How probable it is that the text speaks well of its subject, in [0, 1]. 0.5 where the model
    /// knows no word.
    pub score: f32,
    /// Tokens that the model read, the start marker included.
    pub tokens: u32,
    /// Whether the text was longer than what the model reads; then it read the text's end.
    pub truncated: bool,
    /// Tokens, without special ones, that are in the model's vocabulary.
    pub known_tokens: u32,
    /// Whether the vocabulary has at least half of the tokens. If not, the text is probably in
    /// another language, and the score means little.
    pub language_supported: bool,
}

impl SentimentRequest {
    /// A request for these texts, all else by default. The server bounds how many it takes at once,
    /// and refuses an empty list. An empty text is answered too.
    pub fn new(texts: impl IntoIterator<Item: Into<String>>) -> Self {
        Self(wire::SentimentScoreRequest {
            texts: texts.into_iter().map(Into::into).collect(),
            ..wire::SentimentScoreRequest::default()
        })
    }

    /// The model's name. Default: the server's default sentiment model.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.0.model = model.into();
        self
    }

    /// The model's version, a positive decimal number. Default: the newest that is ready.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.0.version = version.into();
        self
    }

    /// Whether a text of which the model knows no word is an error. Default: its label is
    /// "UNKNOWN".
    pub fn refuse_unreadable(mut self, refuse: bool) -> Self {
        let on_unreadable = if refuse {
            wire::OnUnreadable::Error
        } else {
            wire::OnUnreadable::Unspecified
        };
        self.0.set_on_unreadable(on_unreadable);
        self
    }
}

impl From<&str> for SentimentRequest {
    fn from(text: &str) -> Self {
        Self::new([text])
    }
}

impl From<String> for SentimentRequest {
    fn from(text: String) -> Self {
        Self::new([text])
    }
}

impl<T: Into<String>> From<Vec<T>> for SentimentRequest {
    fn from(texts: Vec<T>) -> Self {
        Self::new(texts)
    }
}

impl<T: Into<String>, const N: usize> From<[T; N]> for SentimentRequest {
    fn from(texts: [T; N]) -> Self {
        Self::new(texts)
    }
}

impl Sentiments {
    /// Takes the reply to a request of that many texts; another number of answers would pair them
    /// wrongly.
    pub(crate) fn from_wire(
        reply: wire::SentimentScoreResponse,
        request_id: String,
        texts: usize,
    ) -> Result<Self, Failure> {
        let answers = reply.sentiments.len();
        if answers != texts {
            let message = format!("{answers} answers came for {texts} texts");
            return Err(Failure::protocol(message));
        }
        let sentiment = |it: wire::Sentiment| Sentiment {
            score: it.score,
            label: it.label,
            tokens: it.tokens,
            truncated: it.truncated,
            known_tokens: it.known_tokens,
            language_supported: it.language_supported,
        };
        Ok(Self {
            texts: reply.sentiments.into_iter().map(sentiment).collect(),
            model: reply.model,
            version: reply.version,
            timing: reply.timing.unwrap_or_default().into(),
            request_id,
        })
    }
}
