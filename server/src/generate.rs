//! Digits from noise, once the wire is off it: check, then draw, judge and keep until there are enough.
//!
//! ```text
//! seed, index ─ noise ─► generator's batching ─► pixels ─► classifier's batching ─► digit, confidence ─ filter ─► picture
//! ```

mod draw;
mod plan;
mod progress;

pub use draw::{Digit, Drawing, Spent};
pub use plan::{Delivery, Generate, Layout, Plan};

use std::sync::Arc;

use bytes::Bytes;
use quintet_bundle::Task;
use tokio::time::Instant;

use crate::decode::Picture;
use crate::encode::{self, Format};
use crate::error::ServeError;
use crate::model::Model;
use crate::service::{INLINE_PIXELS, Service};
use crate::task::generate;

/// Bounds on what one request may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Images in one answer.
    pub max_images: usize,
    /// Images on one stream.
    pub max_images_per_stream: usize,
    /// Candidates that may be drawn for each image asked for.
    pub max_candidates_per_image: usize,
}

/// A classifier that names digits.
#[derive(Debug)]
pub struct Judge {
    /// The classifier.
    pub model: Arc<Model>,
    /// The digit of each of its outputs.
    digits: [u8; 10],
}

/// Images, or the next of them.
#[derive(Debug)]
pub struct Generated {
    /// In the candidates' order; at least one.
    pub digits: Vec<Digit>,
    /// How they look.
    pub pictures: Pictures,
    /// Candidates up to the last of them.
    pub candidates: u64,
    /// Where the time went.
    pub spent: Spent,
}

/// Images as the caller wants them.
#[derive(Debug)]
pub enum Pictures {
    /// One per image.
    Separate(Vec<Picture>),
    /// All of them.
    Sheet(Picture),
}

impl Service {
    /// The generator that a request means.
    pub fn generator(&self, name: &str, version: &str) -> Result<Arc<Model>, ServeError> {
        self.repository()
            .resolve(Task::ImageGeneration, name, version)
    }

    /// The classifier that names the digits of a request: the one that it asks for by `name`. Without
    /// a name it is the default classifier, or the first ready one by name if that one does not know
    /// the ten digits.
    ///
    /// # Errors
    /// There is no such classifier, or it does not know the ten digits.
    pub fn judge(&self, name: &str) -> Result<Judge, ServeError> {
        let judge = Judge::of(self.classifier(name, "")?);
        if !name.is_empty() {
            return judge;
        }
        judge.or_else(|refusal| {
            let mut others = self.repository().ready_for(Task::ImageClassification);
            others
                .find_map(|model| Judge::of(model).ok())
                .ok_or(refusal)
        })
    }

    /// Begins to draw, within the deadline; nothing runs yet.
    ///
    /// # Errors
    /// A fault of ours, where the operating system gives no random numbers.
    pub fn draw(
        &self,
        generator: Arc<Model>,
        judge: Judge,
        plan: Plan,
        deadline: Option<Instant>,
    ) -> Result<Drawing, ServeError> {
        Drawing::new(self.clone(), generator, judge, plan, deadline)
    }

    /// Writes frames as pictures: a few here, many on a thread for such work.
    async fn write(
        &self,
        frames: Vec<Bytes>,
        format: Format,
        layout: Layout,
    ) -> Result<Pictures, ServeError> {
        let pixels: usize = frames.iter().map(Bytes::len).sum();
        if format == Format::Raw || pixels as u64 <= INLINE_PIXELS {
            return pictures(frames, format, layout, || true);
        }
        self.beside_io(move |caller| pictures(frames, format, layout, || caller.strong_count() > 0))
            .await
    }
}

impl Judge {
    fn of(model: Arc<Model>) -> Result<Self, ServeError> {
        match generate::digits(&model.manifest.labels) {
            Some(digits) => Ok(Self { model, digits }),
            None => Err(ServeError::NoDigits {
                model: model.name.to_string(),
                labels: model.manifest.labels.join(", "),
            }),
        }
    }
}

/// Frames as pictures; the rest is left out once nobody waits for them.
fn pictures(
    frames: Vec<Bytes>,
    format: Format,
    layout: Layout,
    is_awaited: impl Fn() -> bool,
) -> Result<Pictures, ServeError> {
    let written = match layout {
        Layout::Grid => encode::sheet(format, &frames).map(Pictures::Sheet),
        Layout::Separate => {
            let frames = frames.into_iter().take_while(|_| is_awaited());
            let pictures = frames.map(|frame| encode::frame(format, frame));
            pictures.collect::<Result<_, _>>().map(Pictures::Separate)
        }
    };
    written.map_err(|error| ServeError::fault("writing an image", &error))
}
