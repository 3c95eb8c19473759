//! What `Classify` takes and gives.

use std::time::Duration;

use quintet_proto::v1 as wire;

use crate::{error::Failure, image::Image};

/// Images to classify, and how.
///
/// One image, a list or an array of them turns into a request with the defaults: the server's
/// default model, its newest version, one label an image, [`Framing::Auto`].
#[must_use]
#[derive(Clone, Debug, PartialEq)]
pub struct ClassifyRequest(pub(crate) wire::ClassifyRequest);

/// How a picture becomes the model's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// A picture of a digit becomes a frame as MNIST's authors made theirs: light on dark, cropped
    /// to the ink, fitted into 20×20, centred by mass in 28×28. A picture that is already such a
    /// frame passes unchanged.
    #[default]
    Auto,
    /// The pixels as they are, resized to the model's input where the size differs.
    None,
}

/// The answer to a [`ClassifyRequest`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Classifications {
    /// One for each image, in the request's order.
    pub predictions: Vec<Prediction>,
    /// The model that answered.
    pub model: String,
    /// Its version.
    pub version: String,
    /// Where the time went.
    pub timing: Timing,
    /// The call's id (`x-request-id`), which the server's log has too.
    pub request_id: String,
}

/// What the model sees in one image.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Prediction {
    /// The most probable first, as many as were asked for. None where there is nothing to read.
    pub labels: Vec<Label>,
    /// Whether there is anything to read. False for an image of one colour and, where the framing
    /// looks for a digit, for one without ink; and where the model knows none of its labels in the
    /// ink, if its manifest says how sure it must be. True from a server that does not say.
    pub readable: bool,
    /// With [`ClassifyRequest::explain`]: what became of the image.
    pub explanation: Option<Explanation>,
}

/// What became of an image before a model saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The pixels that the model saw, grey or RGB.
    pub frame: Image,
    /// Whether ink was found that can be one digit; `None` where the framing does not look for any.
    pub ink_found: Option<bool>,
    /// How ink and paper differ, where the framing looks for ink.
    pub polarity: Option<Polarity>,
    /// What was in the image beside the digit, and how many of each.
    pub dropped: Vec<(DroppedKind, u32)>,
}

/// How ink differs from its paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Polarity {
    /// As on paper.
    DarkOnLight,
    /// As on a blackboard.
    LightOnDark,
}

/// A kind of thing in an image that the model did not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DroppedKind {
    /// What lies around the paper: a desk, a border line, a form's box with what is outside.
    Surroundings,
    /// Light that falls unevenly: a shadow, a vignette.
    Shadow,
    /// A long thin straight line.
    Line,
    /// What the image's edge cuts.
    AtEdge,
    /// Ink that is small beside the digit.
    Speck,
    /// Other ink beside the digit, such as a second one.
    Neighbour,
    /// A kind that is newer than this crate.
    Unknown,
}

/// One class and how probable it is.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Label {
    /// The class's name, such as "7".
    pub name: String,
    /// Its place in the model's output.
    pub index: u32,
    /// In [0, 1]; over all classes they sum to 1, unless the model gives several labels to one
    /// input.
    pub probability: f32,
}

/// Where a request's time went inside the server; what the call took beyond it is the network's and
/// this side's.
///
/// In JSON, the times are whole microseconds, named `preprocess_us`, `queue_us` and `compute_us`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Timing {
    /// Decoding and pre-processing.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "preprocess_us", serialize_with = "microseconds")
    )]
    pub preprocess: Duration,
    /// Waiting for an instance: the longest wait of the request's rows, its images or texts.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "queue_us", serialize_with = "microseconds")
    )]
    pub queue: Duration,
    /// Running the batches of the request's rows: the longest of them.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "compute_us", serialize_with = "microseconds")
    )]
    pub compute: Duration,
    /// Rows of the largest of those batches, other callers' included.
    pub batch_size: u32,
}

impl ClassifyRequest {
    /// A request for these images, all else by default. The server bounds how many it takes at
    /// once, and refuses an empty list.
    pub fn new(images: impl IntoIterator<Item = Image>) -> Self {
        Self(wire::ClassifyRequest {
            images: images.into_iter().map(|image| image.0).collect(),
            top_k: 1,
            framing: wire::Framing::Auto.into(),
            on_unreadable: wire::OnUnreadable::Answer.into(),
            ..wire::ClassifyRequest::default()
        })
    }

    /// The model's name. Default: the server's default classifier.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.0.model = model.into();
        self
    }

    /// The model's version, a positive decimal number. Default: the newest that is ready.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.0.version = version.into();
        self
    }

    /// How many labels to give an image. 0 means 1; more than there are gives all. Default: 1.
    pub fn top_k(mut self, top_k: u32) -> Self {
        self.0.top_k = top_k;
        self
    }

    /// How a picture becomes the model's input. Default: [`Framing::Auto`].
    pub fn framing(mut self, framing: Framing) -> Self {
        self.0.set_framing(match framing {
            Framing::Auto => wire::Framing::Auto,
            Framing::None => wire::Framing::None,
        });
        self
    }

    /// Whether an image in which there is nothing to read is an error. Default: its
    /// [`Prediction::readable`] is false, and it has no labels.
    pub fn refuse_unreadable(mut self, refuse: bool) -> Self {
        self.0.set_on_unreadable(if refuse {
            wire::OnUnreadable::Error
        } else {
            wire::OnUnreadable::Answer
        });
        self
    }

    /// Gives unreadable images labels as well. Default: they have none.
    pub fn label_unreadable(mut self) -> Self {
        self.0.set_on_unreadable(wire::OnUnreadable::Unspecified);
        self
    }

    /// Whether to say what became of each image: [`Prediction::explanation`]. Default: no.
    pub fn explain(mut self, explain: bool) -> Self {
        self.0.explain = explain;
        self
    }
}

impl From<Image> for ClassifyRequest {
    fn from(image: Image) -> Self {
        Self::new([image])
    }
}

impl From<Vec<Image>> for ClassifyRequest {
    fn from(images: Vec<Image>) -> Self {
        Self::new(images)
    }
}

impl<const N: usize> From<[Image; N]> for ClassifyRequest {
    fn from(images: [Image; N]) -> Self {
        Self::new(images)
    }
}

impl Classifications {
    /// Takes the reply to a request of that many images; another number of answers would pair them
    /// wrongly.
    pub(crate) fn from_wire(
        reply: wire::ClassifyResponse,
        request_id: String,
        images: usize,
    ) -> Result<Self, Failure> {
        let answers = reply.classifications.len();
        if answers != images {
            let message = format!("{answers} answers came for {images} images");
            return Err(Failure::protocol(message));
        }
        Ok(Self {
            predictions: reply.classifications.into_iter().map(Into::into).collect(),
            model: reply.model,
            version: reply.version,
            timing: reply.timing.unwrap_or_default().into(),
            request_id,
        })
    }
}

impl Prediction {
    /// The most probable label; `None` where there is nothing to read.
    pub fn top(&self) -> Option<&Label> {
        self.labels.first()
    }
}

impl From<wire::Classification> for Prediction {
    fn from(classification: wire::Classification) -> Self {
        let (polarity, readable) = (classification.polarity(), classification.readable);
        Self {
            labels: classification.labels.into_iter().map(Into::into).collect(),
            readable: readable.unwrap_or(true),
            explanation: classification.frame.map(|frame| Explanation {
                frame: Image(frame),
                ink_found: classification.ink_found,
                polarity: Polarity::of_wire(polarity),
                dropped: classification.dropped.into_iter().map(dropped).collect(),
            }),
        }
    }
}

impl From<wire::Label> for Label {
    fn from(label: wire::Label) -> Self {
        Self {
            name: label.name,
            index: label.index,
            probability: label.probability,
        }
    }
}

impl Polarity {
    fn of_wire(polarity: wire::Polarity) -> Option<Self> {
        match polarity {
            wire::Polarity::Unspecified => None,
            wire::Polarity::DarkOnLight => Some(Self::DarkOnLight),
            wire::Polarity::LightOnDark => Some(Self::LightOnDark),
        }
    }
}

fn dropped(dropped: wire::Dropped) -> (DroppedKind, u32) {
    let kind = match dropped.kind() {
        wire::DroppedKind::Unspecified => DroppedKind::Unknown,
        wire::DroppedKind::Surroundings => DroppedKind::Surroundings,
        wire::DroppedKind::Shadow => DroppedKind::Shadow,
        wire::DroppedKind::Line => DroppedKind::Line,
        wire::DroppedKind::AtEdge => DroppedKind::AtEdge,
        wire::DroppedKind::Speck => DroppedKind::Speck,
        wire::DroppedKind::Neighbour => DroppedKind::Neighbour,
    };
    (kind, dropped.count)
}

impl From<wire::Timing> for Timing {
    fn from(timing: wire::Timing) -> Self {
        Self {
            preprocess: Duration::from_micros(timing.preprocess_us),
            queue: Duration::from_micros(timing.queue_us),
            compute: Duration::from_micros(timing.compute_us),
            batch_size: timing.batch_size,
        }
    }
}

#[cfg(feature = "serde")]
fn microseconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(time.as_micros() as u64)
}
