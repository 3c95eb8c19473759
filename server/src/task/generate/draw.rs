//! The drawing: noise to images, images to digits, chunk by chunk through the models' batching.
//!
//! Which images are kept is a function of seed and filter alone: always in the candidates' order,
//! whatever the chunks were. Nothing is drawn before it is asked for. Dropping a drawing ends it.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use quintet_proto::v1;
use tokio::time::Instant;

use super::Generator;
use super::copies::CHANGES;
use super::finish::write;
use super::judge::{Judge, rows};
use super::plan::Plan;
use super::progress::Progress;
use crate::call::Call;
use crate::error::ServeError;
use crate::flow::{Spent, within};
use crate::model::Model;
use crate::runtime::{Row, Rows};
use crate::task::wire::timing;
use crate::tokens::Admitted;

/// The most candidates of a chunk: more noise at once would keep an I/O thread from its other
/// callers.
const MOST_AT_ONCE: usize = 256;

/// A request being carried out.
#[derive(Debug)]
pub(super) struct Drawing {
    call: Call,
    model: Arc<Model>,
    generator: Arc<Generator>,
    judge: Judge,
    /// Decides every image.
    seed: u64,
    plan: Plan,
    progress: Progress,
    _admitted: Admitted,
}

/// An image that was drawn.
#[derive(Debug)]
struct Candidate {
    /// Its pixels.
    frame: Bytes,
    /// The classifier's digit and confidence.
    verdict: (u32, f32),
    /// Which of the seed's candidates it is.
    index: u64,
}

/// Images that were kept, in the candidates' order.
#[derive(Debug, Default)]
struct Kept {
    /// Without their pictures.
    digits: Vec<v1::GeneratedDigit>,
    /// The pixels of each.
    frames: Vec<Bytes>,
    spent: Spent,
}

impl Drawing {
    /// Nothing drawn yet.
    ///
    /// # Errors
    /// The caller is over a limit; a fault of the server, where the operating system gives no
    /// random numbers.
    pub(super) fn new(
        call: Call,
        model: Arc<Model>,
        judge: Judge,
        plan: Plan,
    ) -> Result<Self, ServeError> {
        // All at once, so that a request is not given up half-way.
        let admitted = call.admit(plan.count as usize)?;
        let (own, judges) = (model.engine.settings(), judge.model.engine.settings());
        // A chunk that is larger than a queue would never be taken.
        let largest = own.max_batch_size.min(own.max_queue_size);
        let largest = largest.min(judges.max_queue_size).min(MOST_AT_ONCE);
        let seed = match plan.seed {
            Some(seed) => seed,
            None => any_seed()?,
        };
        let generator: Arc<Generator> = model.state()?;
        let usual_share = plan.filter.usual_share(generator.noise.affine_invariant);
        let progress = Progress::new(plan.count, plan.limit, largest as u64, usual_share);
        Ok(Self {
            call,
            generator,
            model,
            judge,
            seed,
            plan,
            progress,
            _admitted: admitted,
        })
    }

    /// All images.
    ///
    /// # Errors
    /// [`ServeError::TooFewFound`], and what the models' runs give.
    pub(super) async fn all(&mut self) -> Result<v1::GenerateDigitsResponse, ServeError> {
        let mut kept = Kept::default();
        while !self.progress.is_complete() {
            self.draw(&mut kept).await?;
        }
        self.respond(kept).await
    }

    /// The next images, at least one; `None`: there are no more.
    ///
    /// # Errors
    /// [`ServeError::TooFewFound`], what the models' runs give, and [`ServeError::Unavailable`]
    /// once the server drains.
    pub(super) async fn some(&mut self) -> Result<Option<v1::GenerateDigitsResponse>, ServeError> {
        let mut kept = Kept::default();
        while kept.digits.is_empty() {
            if self.progress.is_complete() {
                return Ok(None);
            }
            self.call.check_accepting()?;
            self.draw(&mut kept).await?;
        }
        self.respond(kept).await.map(Some)
    }

    /// Draws one chunk.
    async fn draw(&mut self, kept: &mut Kept) -> Result<(), ServeError> {
        let Some(candidates) = self.progress.next() else {
            return Err(ServeError::TooFewFound {
                found: self.progress.found,
                wanted: self.progress.wanted,
                candidates: self.progress.drawn,
                filter: self.plan.filter.to_string(),
            });
        };
        let (first, count) = (self.progress.drawn, candidates as usize);
        let noise = pin!(async {
            let candidates = first..first + candidates;
            Ok((self.generator.rows(self.seed, candidates), ()))
        });
        let frames = self
            .model
            .serve(self.call.turn(), count, noise, |frames, ()| Some(frames));
        let frames = kept.spent.add(frames.await.map_err(name_stage)?);
        let verdicts = self.judge(&frames, &mut kept.spent).await?;
        let frames = frames.iter().map(|frame| frame[0].clone());
        let all = frames.zip(verdicts).zip(first..);
        let all = all.map(|((frame, verdict), index)| Candidate {
            frame,
            verdict,
            index,
        });
        let filter = self.plan.filter;
        let mut passing: Vec<_> = all.filter(|it| filter.keeps(it.verdict)).collect();
        if self.judges_copies() {
            self.drop_doubtful(&mut passing, &mut kept.spent).await?;
        }

        let (missing, passed) = (self.progress.missing(), passing.len() as u64);
        for candidate in passing.into_iter().take(missing as usize) {
            let (digit, confidence) = candidate.verdict;
            kept.digits.push(v1::GeneratedDigit {
                image: None,
                digit,
                confidence,
                index: candidate.index,
            });
            // A copy: a slice would keep the whole batch's memory.
            kept.frames.push(Bytes::copy_from_slice(&candidate.frame));
        }
        let metrics = &self.model.metrics;
        metrics.judged(passed, candidates - passed);
        self.progress.record(candidates, passed.min(missing));
        Ok(())
    }

    /// Whether the classifier is to be sure of an image's copies, too.
    fn judges_copies(&self) -> bool {
        self.generator.noise.affine_invariant && self.plan.filter.asks_for_confidence()
    }

    /// The digit of each frame, and the classifier's confidence.
    async fn judge(&self, frames: &Rows, spent: &mut Spent) -> Result<Vec<(u32, f32)>, ServeError> {
        let judge = &self.judge;
        let rows = pin!(async {
            let (input, size) = (judge.classifier.input, self.generator.size);
            let rows = rows(self.call.blocking(), input, frames, size);
            Ok((rows.await?, ()))
        });
        let finish = |outputs: Rows, ()| {
            let likeliest = |row: &Row| {
                let (class, confidence) = judge.classifier.rank(row, 1)?.pop()?;
                Some((judge.digits[class], confidence))
            };
            outputs.iter().map(likeliest).collect::<Option<Vec<_>>>()
        };
        let served = judge
            .model
            .serve(self.call.turn(), frames.len(), rows, finish);
        Ok(spent.add(served.await.map_err(name_stage)?))
    }

    /// Drops candidates that the classifier is less sure of, or calls another digit, in a copy.
    async fn drop_doubtful(
        &self,
        candidates: &mut Vec<Candidate>,
        spent: &mut Spent,
    ) -> Result<(), ServeError> {
        let filter = self.plan.filter;
        for change in CHANGES {
            if candidates.is_empty() {
                break;
            }
            let frames = candidates.iter().map(|it| it.frame.clone());
            let copies = change.each(self.call.blocking(), frames, self.generator.size);
            let copies = within(self.call.deadline(), pin!(copies)).await;
            let verdicts = self.judge(&copies.map_err(name_stage)?, spent).await?;
            let mut verdicts = verdicts.into_iter();
            candidates.retain(|it| {
                let verdict = verdicts.next();
                verdict.is_some_and(|at| at.0 == it.verdict.0 && filter.keeps(at))
            });
        }
        Ok(())
    }

    /// Images as the caller wants them.
    async fn respond(&self, kept: Kept) -> Result<v1::GenerateDigitsResponse, ServeError> {
        let started = Instant::now();
        let written = pin!(write(
            self.call.blocking(),
            &self.plan,
            self.generator.size,
            kept.frames
        ));
        let pictures = within(self.call.deadline(), written).await;
        let mut pictures = pictures.map_err(name_stage)?.into_iter().map(|picture| {
            let source = Some(picture);
            v1::Image { source }
        });
        let sheet = self.plan.is_sheet.then(|| pictures.next()).flatten();
        let mut digits = kept.digits;
        for (digit, picture) in digits.iter_mut().zip(pictures) {
            digit.image = Some(picture);
        }
        let took = started.elapsed();
        self.model.metrics.postprocess.record(took);
        let mut spent = kept.spent;
        spent.preprocess += took;
        let (generator, classifier) = (&self.model, &self.judge.model);
        Ok(v1::GenerateDigitsResponse {
            candidates: digits.last().map_or(0, |last| last.index + 1),
            digits,
            sheet,
            seed: self.seed,
            model: generator.name.to_string(),
            version: generator.version.to_string(),
            classifier: classifier.name.to_string(),
            classifier_version: classifier.version.to_string(),
            timing: Some(timing(&spent)),
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
