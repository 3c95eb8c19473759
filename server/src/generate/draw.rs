//! The drawing itself: noise to images, images to digits, chunk by chunk, each through the models' own batching.
//!
//! Which images are kept is a function of seed and filter alone: always in the candidates' order, whatever the chunks
//! were. Nothing is drawn before it is asked for, and dropping a drawing ends it.

use std::future::ready;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::plan::Plan;
use super::progress::Progress;
use super::{Generated, Judge};
use crate::batching::Timing;
use crate::error::ServeError;
use crate::flow::{Served, within};
use crate::model::Model;
use crate::runtime::Row;
use crate::service::Service;
use crate::task::{classify, generate};

/// The most candidates of a chunk: more noise at once would keep an I/O thread from its other callers.
const MOST_AT_ONCE: usize = 256;

/// A request being carried out.
#[derive(Debug)]
pub struct Drawing {
    service: Service,
    /// What makes the images.
    pub generator: Arc<Model>,
    /// What names them.
    pub judge: Judge,
    /// Decides every image.
    pub seed: u64,
    plan: Plan,
    progress: Progress,
    deadline: Option<Instant>,
}

/// An image that was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Digit {
    /// Which of the seed's candidates it is.
    pub index: u64,
    /// What the classifier calls it.
    pub digit: u8,
    /// How probable it holds that to be.
    pub confidence: f32,
    /// The pixels of a frame.
    pub(super) pixels: Bytes,
}

/// Where the time of several runs went, one after the other.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    /// Drawing noise and writing images.
    pub preprocess: Duration,
    /// Inside the batching cores; the largest batch.
    pub timing: Timing,
}

// === impl Drawing ===

impl Drawing {
    pub(super) fn new(
        service: Service,
        generator: Arc<Model>,
        judge: Judge,
        plan: Plan,
        deadline: Option<Instant>,
    ) -> Result<Self, ServeError> {
        let (makes, names) = (generator.engine.settings(), judge.model.engine.settings());
        // A chunk that is larger than a queue would never be taken.
        let largest = makes
            .max_batch_size
            .min(makes.max_queue_size)
            .min(names.max_queue_size)
            .min(MOST_AT_ONCE);
        let seed = match plan.seed {
            Some(seed) => seed,
            None => any_seed()?,
        };
        let progress = Progress::new(
            plan.count,
            plan.limit,
            largest as u64,
            plan.filter.usual_share(),
        );
        Ok(Self {
            service,
            generator,
            judge,
            seed,
            plan,
            progress,
            deadline,
        })
    }

    /// All images.
    ///
    /// # Errors
    /// [`ServeError::TooFewFound`], and what the models' runs give.
    pub async fn all(&mut self) -> Result<Generated, ServeError> {
        let (mut digits, mut spent) = (Vec::new(), Spent::default());
        while !self.progress.is_complete() {
            digits.extend(self.draw(&mut spent).await?);
        }
        self.write(digits, spent).await
    }

    /// The next images, at least one; `None`: there were all. `go_on` is asked before each chunk.
    ///
    /// # Errors
    /// [`ServeError::TooFewFound`], what the models' runs give, and what `go_on` says.
    pub async fn some(
        &mut self,
        go_on: impl Fn() -> Result<(), ServeError>,
    ) -> Result<Option<Generated>, ServeError> {
        let mut spent = Spent::default();
        while !self.progress.is_complete() {
            go_on()?;
            let digits = self.draw(&mut spent).await?;
            if !digits.is_empty() {
                return self.write(digits, spent).await.map(Some);
            }
        }
        Ok(None)
    }

    /// Draws one chunk: what is kept of it.
    async fn draw(&mut self, spent: &mut Spent) -> Result<Vec<Digit>, ServeError> {
        let Some(candidates) = self.progress.next() else {
            return Err(ServeError::TooFewFound {
                found: self.progress.found,
                wanted: self.progress.wanted,
                candidates: self.progress.drawn,
                filter: self.plan.filter.to_string(),
            });
        };
        let first = self.progress.drawn;
        let seed = self.seed;
        let noise = pin!(async { Ok((generate::prepare(seed, first..first + candidates), ())) });
        let frames =
            self.generator
                .serve(self.deadline, candidates as usize, noise, |frames, ()| {
                    Some(frames)
                });
        let frames = spent.on(frames.await.map_err(late)?);
        // A frame is the classifier's input as it is.
        let rows = pin!(ready(Ok((frames.clone(), ()))));
        let labels = self
            .judge
            .model
            .serve(self.deadline, frames.len(), rows, |outputs, ()| {
                let likeliest = |row: &Row| classify::finish(row, 1)?.pop();
                outputs.iter().map(likeliest).collect::<Option<Vec<_>>>()
            });
        let labels = spent.on(labels.await.map_err(late)?);

        let judged = frames.iter().zip(labels).zip(first..);
        let kept = judged.filter_map(|((frame, label), index)| {
            let digit = self.judge.digits[label.index];
            let keeps = self.plan.filter.keeps(digit, label.probability);
            keeps.then(|| Digit {
                index,
                digit,
                confidence: label.probability,
                // By itself: a slice would keep the whole batch's memory.
                pixels: frame.iter().flatten().copied().collect(),
            })
        });
        let mut kept: Vec<Digit> = kept.collect();
        let filtered = candidates - kept.len() as u64;
        self.generator.metrics.judged(kept.len() as u64, filtered);
        kept.truncate(self.progress.missing() as usize);
        self.progress.record(candidates, kept.len() as u64);
        Ok(kept)
    }

    /// Images as the caller wants them.
    async fn write(&self, digits: Vec<Digit>, mut spent: Spent) -> Result<Generated, ServeError> {
        let started = Instant::now();
        let frames = digits.iter().map(|digit| digit.pixels.clone()).collect();
        let (format, layout) = (self.plan.format, self.plan.layout);
        let written = pin!(self.service.write(frames, format, layout));
        let pictures = within(self.deadline, written).await.map_err(late)?;
        let took = started.elapsed();
        self.generator.metrics.postprocessed(took);
        spent.preprocess += took;
        Ok(Generated {
            candidates: digits.last().map_or(0, |last| last.index + 1),
            digits,
            pictures,
            spent,
        })
    }
}

// === impl Spent ===

impl Spent {
    /// Adds what an answer took, and gives the answer.
    fn on<T>(&mut self, served: Served<T>) -> T {
        self.preprocess += served.preprocess;
        self.timing.queue += served.timing.queue;
        self.timing.compute += served.timing.compute;
        self.timing.batch_size = self.timing.batch_size.max(served.timing.batch_size);
        served.answer
    }
}

/// A deadline that passes between two chunks is no more "on arrival" than one that passes in the queue.
fn late(error: ServeError) -> ServeError {
    match error {
        ServeError::DeadlineExceeded { .. } => ServeError::DeadlineExceeded {
            stage: "before all images were drawn",
        },
        other => other,
    }
}

/// A seed that nobody can tell beforehand; below 2^63, so that whoever holds whole numbers in 64 bits with a sign can
/// keep it.
fn any_seed() -> Result<u64, ServeError> {
    let number = getrandom::u64();
    let number = number.map_err(|error| ServeError::fault("drawing a seed", &error))?;
    Ok(number >> 1)
}
