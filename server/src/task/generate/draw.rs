//! The drawing: noise to images, images to digits, chunk by chunk through the models' batching.
//!
//! Which images are kept is a function of seed and filter alone: always in the candidates' order,
//! whatever the chunks were. Nothing is drawn before it is asked for. Dropping a drawing ends it.

use std::future::ready;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::Generator;
use super::finish::{Pictures, write};
use super::judge::Judge;
use super::plan::Plan;
use super::prepare;
use super::progress::Progress;
use crate::call::Call;
use crate::error::ServeError;
use crate::flow::{Spent, within};
use crate::model::Model;
use crate::runtime::Row;

/// The most candidates of a chunk: more noise at once would keep an I/O thread from its other
/// callers.
const MOST_AT_ONCE: usize = 256;

/// A request being carried out.
#[derive(Debug)]
pub(super) struct Drawing {
    call: Call,
    /// What makes the images.
    pub(super) generator: Arc<Model>,
    its: Arc<Generator>,
    /// What names them.
    pub(super) judge: Judge,
    /// Decides every image.
    pub(super) seed: u64,
    plan: Plan,
    progress: Progress,
}

/// Images, or the next of them.
#[derive(Debug)]
pub(super) struct Generated {
    /// In the candidates' order; at least one.
    pub(super) images: Vec<KeptImage>,
    /// The images as the caller wants them.
    pub(super) pictures: Pictures,
    /// Candidates up to the last of them.
    pub(super) candidates: u64,
    /// Where the time went.
    pub(super) spent: Spent,
}

/// An image that was kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct KeptImage {
    /// Which of the seed's candidates it is.
    pub(super) index: u64,
    /// What the classifier calls it.
    pub(super) digit: u8,
    /// The probability that the classifier gives to that.
    pub(super) confidence: f32,
    /// The pixels of a frame.
    pixels: Bytes,
}

// === impl Drawing ===

impl Drawing {
    /// Nothing drawn yet.
    ///
    /// # Errors
    /// A fault of the server, where the operating system gives no random numbers.
    pub(super) fn new(
        call: Call,
        generator: Arc<Model>,
        judge: Judge,
        plan: Plan,
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
            call,
            its: generator.state()?,
            generator,
            judge,
            seed,
            plan,
            progress,
        })
    }

    /// All images.
    ///
    /// # Errors
    /// [`ServeError::TooFewFound`], and what the models' runs give.
    pub(super) async fn all(&mut self) -> Result<Generated, ServeError> {
        let (mut images, mut spent) = (Vec::new(), Spent::default());
        while !self.progress.is_complete() {
            images.extend(self.draw(&mut spent).await?);
        }
        self.write(images, spent).await
    }

    /// The next images, at least one; `None`: there are no more.
    ///
    /// # Errors
    /// [`ServeError::TooFewFound`], what the models' runs give, and [`ServeError::Unavailable`]
    /// once the server drains.
    pub(super) async fn some(&mut self) -> Result<Option<Generated>, ServeError> {
        let mut spent = Spent::default();
        while !self.progress.is_complete() {
            self.call.check_accepting()?;
            let images = self.draw(&mut spent).await?;
            if !images.is_empty() {
                return self.write(images, spent).await.map(Some);
            }
        }
        Ok(None)
    }

    /// Draws one chunk, and returns what is kept of it.
    async fn draw(&mut self, spent: &mut Spent) -> Result<Vec<KeptImage>, ServeError> {
        let Some(candidates) = self.progress.next() else {
            return Err(ServeError::TooFewFound {
                found: self.progress.found,
                wanted: self.progress.wanted,
                candidates: self.progress.drawn,
                filter: self.plan.filter.to_string(),
            });
        };
        let first = self.progress.drawn;
        let (seed, its) = (self.seed, &self.its);
        let noise = pin!(async {
            Ok((
                prepare::rows(its.noise, seed, first..first + candidates),
                (),
            ))
        });
        let frames = self.generator.serve(
            self.call.deadline(),
            candidates as usize,
            noise,
            |frames, ()| Some(frames),
        );
        let frames = spent.add(frames.await.map_err(name_stage)?);
        let rows = pin!(ready(Ok((self.judge.rows(&frames, its.size), ()))));
        let labels =
            self.judge
                .model
                .serve(self.call.deadline(), frames.len(), rows, |outputs, ()| {
                    let likeliest = |row: &Row| self.judge.classifier.rank(row, 1)?.pop();
                    outputs.iter().map(likeliest).collect::<Option<Vec<_>>>()
                });
        let labels = spent.add(labels.await.map_err(name_stage)?);

        let judged = frames.iter().zip(labels).zip(first..);
        let kept = judged.filter_map(|((frame, label), index)| {
            let digit = self.judge.digits[label.index];
            let keeps = self.plan.filter.keeps(digit, label.probability);
            keeps.then(|| KeptImage {
                index,
                digit,
                confidence: label.probability,
                // A copy: a slice would keep the whole batch's memory.
                pixels: frame.iter().flatten().copied().collect(),
            })
        });
        let mut kept: Vec<KeptImage> = kept.collect();
        let filtered = candidates - kept.len() as u64;
        self.generator.metrics.judged(kept.len() as u64, filtered);
        kept.truncate(self.progress.missing() as usize);
        self.progress.record(candidates, kept.len() as u64);
        Ok(kept)
    }

    /// Images as the caller wants them.
    async fn write(
        &self,
        images: Vec<KeptImage>,
        mut spent: Spent,
    ) -> Result<Generated, ServeError> {
        let started = Instant::now();
        let frames = images.iter().map(|image| image.pixels.clone()).collect();
        let written = pin!(write(
            self.call.blocking(),
            (self.plan.format, self.its.size),
            self.plan.is_sheet,
            frames
        ));
        let pictures = within(self.call.deadline(), written)
            .await
            .map_err(name_stage)?;
        let took = started.elapsed();
        self.generator.metrics.postprocessed(took);
        spent.preprocess += took;
        Ok(Generated {
            candidates: images.last().map_or(0, |last| last.index + 1),
            images,
            pictures,
            spent,
        })
    }
}

/// A deadline that passes between two chunks has not passed "on arrival".
fn name_stage(error: ServeError) -> ServeError {
    match error {
        ServeError::DeadlineExceeded { .. } => ServeError::DeadlineExceeded {
            stage: "before all images were drawn",
        },
        other => other,
    }
}

/// An unpredictable seed below 2^63, so that it fits a signed integer of 64 bits.
fn any_seed() -> Result<u64, ServeError> {
    let number = getrandom::u64();
    let number = number.map_err(|error| ServeError::fault("drawing a seed", &error))?;
    Ok(number >> 1)
}
