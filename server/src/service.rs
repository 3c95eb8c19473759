//! What the server does with a request once the wire is off it: validate, prepare, submit, wait, finish.

use std::pin::pin;
use std::sync::{Arc, Weak};

use quintet_bundle::Task;
use quintet_bundle::image::Framing;
use smallvec::SmallVec;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::decode::{BadPicture, Picture};
use crate::error::{ServeError, Violation};
use crate::flow::{Rows, Served};
use crate::model::Model;
use crate::repository::Repository;
use crate::runtime::Row;
use crate::task::classify::{self, RankedLabel};

/// Pictures of a request that together have no more pixels than this are decoded where they arrive, and written where
/// they were drawn: it takes less time than handing them over.
pub(crate) const INLINE_PIXELS: u64 = 128 * 128;

/// The pixels of a whole request, in images of the largest size.
const IMAGES_OF_FULL_SIZE: u64 = 4;

/// Bounds on what one request may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Images in one request.
    pub max_images_per_request: usize,
    /// Pixels of one image.
    pub max_image_pixels: u64,
    /// Texts in one request.
    pub max_texts_per_request: usize,
    /// Bytes of one text.
    pub max_text_bytes: usize,
    /// Images from noise.
    pub generation: crate::generate::Limits,
}

/// The calls, free of transport. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    repository: Arc<Repository>,
    limits: Limits,
    /// One permit per core: large pictures and long texts are worked through beside the I/O threads, not all at once.
    decoders: Arc<Semaphore>,
}

/// What a caller wants classified.
#[derive(Debug, Clone)]
pub struct Classify {
    /// At least one.
    pub pictures: Vec<Picture>,
    /// How many labels per picture; 0 means 1.
    pub top_k: usize,
    /// How a picture becomes a frame.
    pub framing: Framing,
}

impl Service {
    /// A service over these models.
    pub fn new(repository: Arc<Repository>, limits: Limits, cores: usize) -> Self {
        Self {
            repository,
            limits,
            decoders: Arc::new(Semaphore::new(cores)),
        }
    }

    /// The models.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The bounds on requests.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// The classifier that a request means.
    pub fn classifier(&self, name: &str, version: &str) -> Result<Arc<Model>, ServeError> {
        self.repository
            .resolve(Task::ImageClassification, name, version)
    }

    /// Checks how many images a request has, before anything is done for each.
    pub(crate) fn check_images(&self, count: usize) -> Result<(), ServeError> {
        let limit = self.limits.max_images_per_request;
        if (1..=limit).contains(&count) {
            return Ok(());
        }
        Err(ServeError::invalid(
            "images",
            format!("holds {count} images; 1 to {limit} are allowed"),
        ))
    }

    /// Classifies pictures with `model`, within the deadline: a list of labels per picture, the most probable label
    /// first.
    pub async fn classify(
        &self,
        model: &Model,
        request: Classify,
        deadline: Option<Instant>,
    ) -> Result<Served<Vec<Vec<RankedLabel>>>, ServeError> {
        let top_k = request.top_k;
        let rows = request.pictures.len();
        let prepare = pin!(async { Ok((self.prepare(request).await?, ())) });
        let labels = |row: &Row| classify::finish(row, top_k);
        model
            .serve(deadline, rows, prepare, |outputs, ()| {
                outputs.iter().map(labels).collect()
            })
            .await
    }

    /// Decodes and frames the pictures: small ones here, large ones on a thread for such work.
    async fn prepare(&self, request: Classify) -> Result<Rows, ServeError> {
        let Classify {
            pictures, framing, ..
        } = request;
        let max_pixels = self.limits.max_image_pixels;
        let pixels: u64 = each(&pictures, |picture| picture.pixels(max_pixels))?
            .iter()
            .sum();
        let limit = max_pixels.saturating_mul(IMAGES_OF_FULL_SIZE);
        if pixels > limit {
            let description = format!("are {pixels} pixels together; at most {limit} are allowed");
            return Err(ServeError::invalid("images", description));
        }
        if pixels <= INLINE_PIXELS {
            return each(&pictures, |picture| {
                classify::prepare(picture, framing, max_pixels)
            });
        }
        let decoded = self.beside_io(move |caller| {
            // Nobody decodes the rest for a caller that has gone.
            each(&pictures, |picture| match caller.strong_count() {
                0 => Ok(Row::new()),
                _ => classify::prepare(picture, framing, max_pixels),
            })
        });
        // Boxed, so that requests which need no such thread are not as large.
        Box::pin(decoded).await
    }

    /// Does long work on a thread for such. The work is given what is gone when the caller is.
    pub(crate) async fn beside_io<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Weak<()>) -> Result<T, ServeError> + Send + 'static,
    ) -> Result<T, ServeError> {
        let caller = Arc::new(());
        let caller_waits = Arc::downgrade(&caller);
        // The semaphore is never closed, and a panic in the work is a fault of ours, not of the process.
        let fault = |error: &dyn std::fmt::Display| ServeError::fault("work beside I/O", error);
        let permit = Arc::clone(&self.decoders)
            .acquire_owned()
            .await
            .map_err(|error| fault(&error))?;
        let task = tokio::task::spawn_blocking(move || {
            let done = work(&caller_waits);
            drop(permit);
            done
        });
        let done = task.await.map_err(|error| fault(&error))?;
        drop(caller);
        done
    }
}

/// Does `step` for each picture; all that are wrong are named, by field.
fn each<T>(
    pictures: &[Picture],
    step: impl Fn(&Picture) -> Result<T, BadPicture>,
) -> Result<SmallVec<[T; 1]>, ServeError> {
    let mut done = SmallVec::with_capacity(pictures.len());
    let mut violations = Vec::new();
    for (index, picture) in pictures.iter().enumerate() {
        match step(picture) {
            Ok(value) => done.push(value),
            Err(BadPicture { field, description }) => {
                violations.push(Violation {
                    field: format!("images[{index}].{field}"),
                    description,
                });
            }
        }
    }
    if violations.is_empty() {
        Ok(done)
    } else {
        Err(ServeError::violations(violations))
    }
}
