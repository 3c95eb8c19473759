//! What `ClassifyText` takes and gives.

use quintet_proto::v1 as wire;

use crate::{
    classify::{Label, Timing},
    error::Failure,
};

/// Texts to classify, and by which model.
///
/// One text, a list or an array of them turns into a request with the defaults: the server's
/// default text classifier, its newest version, one label a text.
#[must_use]
#[derive(Clone, Debug, PartialEq)]
pub struct ClassifyTextRequest(pub(crate) wire::ClassifyTextRequest);

/// One text, or two that are classified together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextInput(wire::TextInput);

/// The answer to a [`ClassifyTextRequest`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TextClassifications {
    /// One for each text, in the request's order.
    pub texts: Vec<TextClassification>,
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
pub struct TextClassification {
    /// The most probable first, as many as were asked for. Empty for a regression.
    pub labels: Vec<Label>,
    /// What the model gives for each label before the softmax or sigmoid, in the order of its
    /// labels: where it was asked for, and always for a regression, whose result it is.
    pub logits: Vec<f32>,
    /// Tokens that the model read, special ones included.
    pub tokens: u32,
    /// Whether the text had more tokens than the model reads; then some were left out.
    pub truncated: bool,
}

impl TextInput {
    /// A text of its own.
    pub fn new(text: impl Into<String>) -> Self {
        Self(wire::TextInput {
            text: text.into(),
            text_pair: None,
        })
    }

    /// Two texts that are classified together, such as a premise and a hypothesis. An empty second
    /// text counts as absent.
    pub fn pair(text: impl Into<String>, text_pair: impl Into<String>) -> Self {
        Self(wire::TextInput {
            text: text.into(),
            text_pair: Some(text_pair.into()),
        })
    }
}

impl<T: Into<String>> From<T> for TextInput {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

impl ClassifyTextRequest {
    /// A request for these texts, all else by default. The server bounds how many it takes at once,
    /// and refuses an empty list. An empty text is answered too.
    pub fn new(texts: impl IntoIterator<Item: Into<TextInput>>) -> Self {
        Self(wire::ClassifyTextRequest {
            texts: texts.into_iter().map(|it| it.into().0).collect(),
            top_k: 1,
            ..wire::ClassifyTextRequest::default()
        })
    }

    /// The model's name. Default: the server's default text classifier.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.0.model = model.into();
        self
    }

    /// The model's version, a positive decimal number. Default: the newest that is ready.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.0.version = version.into();
        self
    }

    /// How many labels to give a text. 0 means 1; more than there are gives all. Default: 1.
    pub fn top_k(mut self, top_k: u32) -> Self {
        self.0.top_k = top_k;
        self
    }

    /// Whether to give the logits, too. A model that has only probabilities refuses it.
    pub fn return_logits(mut self, return_logits: bool) -> Self {
        self.0.return_logits = return_logits;
        self
    }

    /// Whether a text with more tokens than the model reads is an error. Default: it is cut.
    pub fn refuse_truncated(mut self, refuse: bool) -> Self {
        self.0.refuse_truncated = refuse;
        self
    }
}

impl From<TextInput> for ClassifyTextRequest {
    fn from(text: TextInput) -> Self {
        Self::new([text])
    }
}

impl From<&str> for ClassifyTextRequest {
    fn from(text: &str) -> Self {
        Self::new([text])
    }
}

impl From<String> for ClassifyTextRequest {
    fn from(text: String) -> Self {
        Self::new([text])
    }
}

impl<T: Into<TextInput>> From<Vec<T>> for ClassifyTextRequest {
    fn from(texts: Vec<T>) -> Self {
        Self::new(texts)
    }
}

impl<T: Into<TextInput>, const N: usize> From<[T; N]> for ClassifyTextRequest {
    fn from(texts: [T; N]) -> Self {
        Self::new(texts)
    }
}

impl TextClassifications {
    /// Takes the reply to a request of that many texts; another number of answers would pair them
    /// wrongly.
    pub(crate) fn from_wire(
        reply: wire::ClassifyTextResponse,
        request_id: String,
        texts: usize,
    ) -> Result<Self, Failure> {
        let answers = reply.classifications.len();
        if answers != texts {
            let message = format!("{answers} answers came for {texts} texts");
            return Err(Failure::protocol(message));
        }
        let classification = |it: wire::TextClassification| TextClassification {
            labels: it.labels.into_iter().map(Into::into).collect(),
            logits: it.logits,
            tokens: it.tokens,
            truncated: it.truncated,
        };
        Ok(Self {
            texts: reply
                .classifications
                .into_iter()
                .map(classification)
                .collect(),
            model: reply.model,
            version: reply.version,
            timing: reply.timing.unwrap_or_default().into(),
            request_id,
        })
    }
}
