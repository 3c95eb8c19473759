//! What the server does with a request once the wire is off it: validate, prepare, submit, wait, finish.

use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use quintet_bundle::Task;
use quintet_bundle::image::Framing;
use smallvec::SmallVec;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::batching::{Answer, Timing};
use crate::deadline;
use crate::decode::{BadPicture, Picture};
use crate::error::{ServeError, Violation};
use crate::model::Model;
use crate::repository::Repository;
use crate::runtime::Row;
use crate::task::classify::{self, RankedLabel};

/// Pictures of a request that together have no more pixels than this are decoded where they arrive: it takes less
/// time than handing them over.
const INLINE_PIXELS: u64 = 128 * 128;

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

/// Labels per picture, and where the time went.
#[derive(Debug)]
pub struct Classified {
    /// One list per picture, the most probable label first.
    pub labels: Vec<Vec<RankedLabel>>,
    /// Decoding and pre-processing.
    pub preprocess: Duration,
    /// Inside the batching core.
    pub timing: Timing,
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

    /// Classifies pictures with `model`, within the deadline.
    pub async fn classify(
        &self,
        model: &Model,
        request: Classify,
        deadline: Option<Instant>,
    ) -> Result<Classified, ServeError> {
        let (count, limit) = (request.pictures.len(), self.limits.max_images_per_request);
        if !(1..=limit).contains(&count) {
            return Err(ServeError::invalid(
                "images",
                format!("holds {count} images; 1 to {limit} are allowed"),
            ));
        }
        let started = Instant::now();
        let work = async {
            let top_k = request.top_k;
            let rows = self.prepare(request).await?;
            let preprocess = started.elapsed();
            model.metrics.preprocessed(preprocess);

            let answer = self.run(model, rows, deadline).await?;
            let ran = Instant::now();
            let labels = answer
                .outputs
                .iter()
                .map(|row| classify::finish(row, top_k));
            let labels = labels.collect::<Option<_>>().ok_or_else(|| {
                let failure = crate::batching::Failure::Backend(
                    "an output is not a finite number".to_owned(),
                );
                ServeError::from_failure(&model.name, failure)
            })?;
            let timing = answer.timing;
            model
                .statistics
                .succeeded(started.elapsed(), preprocess, timing, ran.elapsed());
            Ok(Classified {
                labels,
                preprocess,
                timing,
            })
        };
        let outcome = within(deadline, work).await;
        if outcome.is_err() {
            model.statistics.failed(started.elapsed());
        }
        outcome
    }

    /// Takes rows through the model's batching core.
    pub(crate) async fn run(
        &self,
        model: &Model,
        rows: SmallVec<[Row; 1]>,
        deadline: Option<Instant>,
    ) -> Result<Answer<Row>, ServeError> {
        let ticket = model
            .engine
            .submit(rows, deadline.map(Instant::into_std))
            .map_err(|refusal| ServeError::from_refusal(&model.name, &refusal))?;
        // Requests that came in the same breath are submitted before anything runs.
        let_others_run().await;
        model.engine.dispatch();
        ticket
            .await
            .map_err(|failure| ServeError::from_failure(&model.name, failure))
    }

    /// Decodes and frames the pictures: small ones here, large ones on a thread for such work.
    async fn prepare(&self, request: Classify) -> Result<SmallVec<[Row; 1]>, ServeError> {
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
        self.beside_io(move |caller| {
            // Nobody decodes the rest for a caller that has gone.
            each(&pictures, |picture| match caller.strong_count() {
                0 => Ok(Row::new()),
                _ => classify::prepare(picture, framing, max_pixels),
            })
        })
        .await
    }

    /// Does long work on a thread for such. The work is given what is gone when the caller is.
    pub(crate) async fn beside_io<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Weak<()>) -> Result<T, ServeError> + Send + 'static,
    ) -> Result<T, ServeError> {
        let caller = Arc::new(());
        let caller_waits = Arc::downgrade(&caller);
        // The semaphore is never closed, and a panic while preparing is a fault of ours, not of the process.
        let fault = |error: &dyn std::fmt::Display| {
            let id = crate::request_id::next();
            tracing::error!(error_id = %id, %error, "preparing a request failed");
            ServeError::Internal { id }
        };
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
        Err(ServeError::InvalidArgument { violations })
    }
}

/// Lets the tasks run that are ready now. Tokio's own way to yield looks at the sockets first, which costs two system
/// calls, as much as a small batch.
async fn let_others_run() {
    let mut have_run = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut have_run, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Gives the work up when the deadline passes.
pub(crate) async fn within<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T, ServeError>>,
) -> Result<T, ServeError> {
    let Some(deadline) = deadline else {
        return work.await;
    };
    if deadline <= Instant::now() {
        return Err(ServeError::DeadlineExceeded {
            stage: "on arrival",
        });
    }
    let late = ServeError::DeadlineExceeded {
        stage: "in the queue or while running",
    };
    deadline::before(deadline, work).await.unwrap_or(Err(late))
}
