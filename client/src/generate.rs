//! What `GenerateDigits` takes and gives.

mod stream;

use quintet_proto::v1 as wire;

pub use self::stream::GenerateStream;
use crate::{classify::Timing, error::Failure, image::Image};

/// How many images of digits to make, and which.
///
/// A number turns into a request with the defaults: a seed that the server draws, all digits, a PNG
/// file each, the server's default generator and classifier.
#[must_use]
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateRequest(pub(crate) wire::GenerateDigitsRequest);

/// How an image is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageFormat {
    /// A PNG file of eight bits grey; see [`Image::as_encoded`].
    #[default]
    Png,
    /// Pixels of one channel; see [`Image::as_raw`].
    Raw,
}

/// Whether each image comes by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// Each image in its [`GeneratedDigit::image`].
    #[default]
    Separate,
    /// All of them on one [`GeneratedDigits::sheet`], row by row, as near to a square as the count
    /// allows.
    Grid,
}

/// The answer to a [`GenerateRequest`], or a part of it from a [`GenerateStream`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GeneratedDigits {
    /// One for each image, in the order in which the seed gives them.
    pub digits: Vec<GeneratedDigit>,
    /// All images, with [`Layout::Grid`] and only then.
    pub sheet: Option<Image>,
    /// Decides every image: the request's seed, or the one that the server drew.
    pub seed: u64,
    /// Candidates drawn so far, those kept included.
    pub candidates: u64,
    /// The generator that answered.
    pub model: String,
    /// Its version.
    pub version: String,
    /// The classifier that named the digits.
    pub classifier: String,
    /// Its version.
    pub classifier_version: String,
    /// Where the time went, the generator's and the classifier's together; on a stream, this
    /// part's.
    pub timing: Timing,
    /// The call's id (`x-request-id`), which the server's log has too.
    pub request_id: String,
}

/// A generated image, and what a classifier sees in it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GeneratedDigit {
    /// Light on dark, 28×28: [`crate::Client::classify`] takes it as it is. `None` with
    /// [`Layout::Grid`], where it lies on the sheet.
    pub image: Option<Image>,
    /// What the classifier calls it, 0 to 9.
    pub digit: u32,
    /// The probability that the classifier gives to that, in [0, 1].
    pub confidence: f32,
    /// Which of the seed's candidates it is, from 0.
    pub index: u64,
}

impl GenerateRequest {
    /// A request for `count` images, at least one, all else by default. The server bounds how many
    /// it makes at once, and makes more of them on [`crate::Client::generate_stream`].
    pub fn new(count: u32) -> Self {
        Self(wire::GenerateDigitsRequest {
            count,
            ..wire::GenerateDigitsRequest::default()
        })
    }

    /// Decides every image: the same seed, models and settings give the same images, at most one
    /// grey level apart. Default: the server draws one and returns it.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = Some(seed);
        self
    }

    /// Only images of this digit, 0 to 9. The server draws candidates and keeps those that the
    /// classifier calls so, up to a bound on its tries. Default: all digits, as they come.
    pub fn digit(mut self, digit: u32) -> Self {
        self.0.digit = Some(digit);
        self
    }

    /// How sure of its digit the classifier must be at least, in [0, 1], and in turned, moved and
    /// smaller copies of the image where the generator's bundle says so; above 0 it filters as
    /// [`Self::digit`] does. Default: 0.9 with a digit, 0 without.
    pub fn min_confidence(mut self, min_confidence: f32) -> Self {
        self.0.min_confidence = Some(min_confidence);
        self
    }

    /// How an image is written. Default: [`ImageFormat::Png`].
    pub fn format(mut self, format: ImageFormat) -> Self {
        self.0.set_format(match format {
            ImageFormat::Png => wire::ImageFormat::Png,
            ImageFormat::Raw => wire::ImageFormat::Raw,
        });
        self
    }

    /// Whether each image comes by itself. Default: [`Layout::Separate`], which a stream wants.
    pub fn layout(mut self, layout: Layout) -> Self {
        self.0.set_layout(match layout {
            Layout::Separate => wire::Layout::Separate,
            Layout::Grid => wire::Layout::Grid,
        });
        self
    }

    /// The generator's name. Default: the server's default generator.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.0.model = model.into();
        self
    }

    /// The generator's version, a positive decimal number. Default: the newest that is ready.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.0.version = version.into();
        self
    }

    /// The name of the classifier that judges; it must know exactly the ten digits. Default: the
    /// server's default classifier.
    pub fn classifier(mut self, classifier: impl Into<String>) -> Self {
        self.0.classifier = classifier.into();
        self
    }
}

impl From<u32> for GenerateRequest {
    fn from(count: u32) -> Self {
        Self::new(count)
    }
}

impl GeneratedDigits {
    /// Takes the reply to a request for `count` images in this layout. A reply with another number
    /// of images or another layout is an error.
    pub(crate) fn from_wire(
        reply: wire::GenerateDigitsResponse,
        request_id: String,
        count: u32,
        layout: wire::Layout,
    ) -> Result<Self, Failure> {
        let images = reply.digits.len();
        if images != count as usize {
            let message = format!("{images} images came where {count} were asked for");
            return Err(Failure::protocol(message));
        }
        Self::part(reply, request_id, layout)
    }

    /// Takes some of the images.
    fn part(
        reply: wire::GenerateDigitsResponse,
        request_id: String,
        layout: wire::Layout,
    ) -> Result<Self, Failure> {
        let grid = layout == wire::Layout::Grid;
        if grid && reply.sheet.is_none() {
            let message = "an answer without the sheet that was asked for";
            return Err(Failure::protocol(message));
        }
        let digits = reply.digits.into_iter().map(|it| {
            let problem = match it.image {
                None if !grid => "without an image".to_owned(),
                _ if it.digit > 9 => format!("of the digit {}", it.digit),
                image => {
                    return Ok(GeneratedDigit {
                        image: image.map(Image),
                        digit: it.digit,
                        confidence: it.confidence,
                        index: it.index,
                    });
                }
            };
            let message = format!("an answer {problem} came for candidate {}", it.index);
            Err(Failure::protocol(message))
        });
        Ok(Self {
            digits: digits.collect::<Result<_, _>>()?,
            sheet: reply.sheet.map(Image),
            seed: reply.seed,
            candidates: reply.candidates,
            model: reply.model,
            version: reply.version,
            classifier: reply.classifier,
            classifier_version: reply.classifier_version,
            timing: reply.timing.unwrap_or_default().into(),
            request_id,
        })
    }
}
