//! The training loop of generator and discriminator.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Reduction, Tensor, nn};

use super::phase::{Moment, Phase, phases};
use super::pictures;
use super::quality::{self, Judge, Quality};
use crate::averaging::WeightAverage;
use crate::checkpoint::Checkpoint;
use crate::data::Samples;
use crate::device;
use crate::fit::{Ending, FitError, seed_libtorch, write_best};
use crate::layers::SignedPixels;
use crate::models::gan::NOISE;
use crate::models::{Architecture, Discriminator};
use crate::network::Network;
use crate::optimizer::Adam;
use crate::progress::Progress;
use crate::recipe::{Adversarial, Recipe};
use crate::run_folder::{EpochLine, RunFolder};

// The gradient penalty is taken every so many steps, and counts as many times (Karras et al. 2020, "Analyzing and improving
// the image quality of StyleGAN", section 3.1).
const PENALTY_INTERVAL: usize = 16;

/// One training run.
#[derive(Debug)]
pub struct AdversarialFit<'a> {
    /// What to train and how.
    pub recipe: &'a Recipe,
    /// The handwritten digits to learn from.
    pub train: &'a Samples,
    /// Who judges each epoch.
    pub judge: &'a Judge,
    /// How many digits each epoch is judged by.
    pub judged: usize,
    /// Where the digits are and the networks will be.
    pub device: Device,
    /// Where checkpoints, metrics and pictures go.
    pub run: &'a RunFolder,
    /// Whether to go on from the folder's last checkpoint.
    pub resume: bool,
    /// Told after every step.
    pub progress: Progress,
}

/// What one epoch gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GanMetrics {
    /// From 1.
    pub epoch: u32,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// Mean cross entropy of the digits that the generator learned from with "handwritten".
    pub generator_loss: f64,
    /// Mean cross entropy of the discriminator, for handwritten and drawn digits together; ln 4 ≈ 1.39 is blind guessing.
    pub discriminator_loss: f64,
    /// What the judge says of the averaged generator's digits.
    pub quality: Quality,
    /// Where the epoch was trained; a resumed run may have moved.
    pub device: String,
    /// How long the epoch took, judging included.
    pub seconds: f64,
}

/// What is being trained, and how far it is.
#[derive(Debug)]
struct State {
    generator: Network,
    average: WeightAverage,
    generator_adam: Adam,
    discriminator: Discriminator,
    discriminator_store: nn::VarStore,
    discriminator_adam: Adam,
    /// Epochs that are done.
    epoch: u32,
    /// Lowest Fréchet distance so far.
    best: f64,
}

/// Means over the steps of one epoch.
#[derive(Debug)]
struct Trained {
    generator_loss: f64,
    discriminator_loss: f64,
    learning_rate: f64,
}

/// Trains by `fit.recipe` and leaves the generator of the best epoch, the one of the lowest Fréchet distance, in the run's
/// `best.safetensors`.
///
/// Every epoch draws from a random stream of its own, so a resumed run and an uninterrupted one give the same weights.
///
/// `should_stop` is asked before every step.
pub fn fit(fit: &AdversarialFit<'_>, should_stop: &dyn Fn() -> bool) -> Result<Ending, FitError> {
    let AdversarialFit { recipe, run, .. } = *fit;
    if fit.train.is_empty() {
        let (train, validation) = (0, 0);
        return Err(FitError::TooFewSamples { train, validation });
    }
    let adversarial = recipe.adversarial.clone().unwrap_or_default();
    let phases = phases(recipe, &adversarial, fit.train);
    let mut state = State::new(recipe, fit.device)?;
    if fit.resume {
        state.restore(&Checkpoint::read(&run.last())?)?;
        run.rewind_metrics::<GanMetrics>(state.epoch)?;
    }
    while state.epoch < recipe.epochs {
        let epoch = state.epoch + 1;
        let start = Instant::now();
        let phase = phases.iter().find(|it| it.has(epoch));
        let phase = phase.expect("the phases have every epoch of the recipe");
        let Some(trained) = train_epoch(fit, phase, &adversarial, &mut state, should_stop)? else {
            return Ok(Ending::Stopped);
        };
        let generator = state.average.network();
        let drawn = quality::draw(generator, quality::SEED, fit.judged);
        pictures::sample(run, epoch, &drawn)?;
        let quality = fit.judge.judge(&drawn);
        let metrics = GanMetrics {
            epoch,
            learning_rate: trained.learning_rate,
            generator_loss: trained.generator_loss,
            discriminator_loss: trained.discriminator_loss,
            quality,
            device: device::name(fit.device),
            seconds: start.elapsed().as_secs_f64(),
        };
        let distance = metrics.quality.frechet_distance;
        let is_best = distance < state.best;
        state.epoch = epoch;
        // `last` is written last: whatever a kill leaves out, the resumed run writes again.
        if is_best {
            state.best = distance;
            write_best(generator, epoch, run)?;
        }
        run.append_metrics(&metrics)?;
        state.checkpoint().write(&run.last())?;
        pictures::contact_sheet(run, epoch)?;
        fit.progress.line(&metrics.line(recipe.epochs, is_best));
    }
    Ok(Ending::Finished)
}

// One pass over the handwritten digits; none when asked to stop.
fn train_epoch(
    fit: &AdversarialFit<'_>,
    phase: &Phase,
    adversarial: &Adversarial,
    state: &mut State,
    should_stop: &dyn Fn() -> bool,
) -> Result<Option<Trained>, FitError> {
    let recipe = fit.recipe;
    let epoch = state.epoch + 1;
    seed_libtorch(recipe.seed, epoch);
    let Phase { train, steps, .. } = phase;
    let batches = train.batches(recipe.batch_size, recipe.seed, epoch);
    let progress = fit.progress.epoch(epoch, recipe.epochs, *steps);
    let (mut generator_sum, mut discriminator_sum, mut learning_rate) = (0.0, 0.0, 0.0);
    for (index, indices) in batches.iter().enumerate() {
        if should_stop() {
            return Ok(None);
        }
        let moment = phase.moment(recipe, adversarial, epoch, index);
        learning_rate = moment.learning_rate;
        let written = SignedPixels.from_pixels(&train.select(indices).inputs[0]);
        let (generator_loss, discriminator_loss) = state.step(adversarial, &written, &moment);
        state.average.update(&state.generator, moment.step);
        generator_sum += generator_loss;
        discriminator_sum += discriminator_loss;
        progress.step(discriminator_sum / (index + 1) as f64);
    }
    let (generator_loss, discriminator_loss) = (
        generator_sum / *steps as f64,
        discriminator_sum / *steps as f64,
    );
    let loss = generator_loss + discriminator_loss;
    if !loss.is_finite() {
        return Err(FitError::Diverged { epoch, loss });
    }
    Ok(Some(Trained {
        generator_loss,
        discriminator_loss,
        learning_rate,
    }))
}

// The largest of some log odds: the `part` of them, at least one.
fn top(logits: &Tensor, part: f64) -> Tensor {
    let count = logits.size()[0];
    let kept = ((count as f64 * part).round() as i64).clamp(1, count);
    logits.topk(kept, 0, true, false).0
}

// Mean cross entropy of log odds with one target for all.
fn cross_entropy(logits: &Tensor, target: f64) -> Tensor {
    let target = logits.full_like(target);
    logits.binary_cross_entropy_with_logits(
        &target,
        None::<Tensor>,
        None::<Tensor>,
        Reduction::Mean,
    )
}

// Half the mean squared norm of the discriminator's gradient at `written`.
fn squared_gradient(discriminator: &Discriminator, written: &Tensor) -> Tensor {
    let written = written.set_requires_grad(true);
    let sum = discriminator.logits(&written).sum(Kind::Float);
    let gradient = &Tensor::run_backward(&[sum], &[written], true, true)[0];
    gradient
        .square()
        .sum_dim_intlist([1, 2].as_slice(), false, Kind::Float)
        .mean(Kind::Float)
        * 0.5
}

// === impl State ===

impl State {
    fn new(recipe: &Recipe, device: Device) -> Result<Self, FitError> {
        seed_libtorch(recipe.seed, 0);
        let generator = Network::new(Architecture::Gan, device);
        let discriminator_store = nn::VarStore::new(device);
        let discriminator = Discriminator::new(&discriminator_store.root());
        let decay = recipe
            .averaging
            .as_ref()
            .map_or(0.0, |averaging| averaging.decay);
        Ok(Self {
            average: WeightAverage::new(&generator, decay)?,
            generator_adam: Adam::new(generator.trainable(), &recipe.optimizer),
            discriminator_adam: Adam::new(sorted(&discriminator_store), &recipe.optimizer),
            generator,
            discriminator,
            discriminator_store,
            epoch: 0,
            best: f64::INFINITY,
        })
    }

    // One step of the discriminator, then one of the generator; their losses.
    fn step(&mut self, adversarial: &Adversarial, written: &Tensor, moment: &Moment) -> (f64, f64) {
        let Adversarial {
            label_smoothing,
            gradient_penalty,
            learning_rate_ratio,
            ..
        } = *adversarial;
        let noise = Tensor::randn(
            [written.size()[0], NOISE as i64],
            (Kind::Float, written.device()),
        );
        let generator = self.generator.model();
        let drawn = generator.forward_t(&[noise], !moment.frozen_norms);

        let real = cross_entropy(&self.discriminator.logits(written), 1.0 - label_smoothing);
        let fake = cross_entropy(&self.discriminator.logits(&drawn.detach()), 0.0);
        let discriminator_loss = real + fake;
        let mut objective = discriminator_loss.shallow_clone();
        if gradient_penalty > 0.0 && moment.step.is_multiple_of(PENALTY_INTERVAL) {
            let factor = gradient_penalty * PENALTY_INTERVAL as f64;
            objective += squared_gradient(&self.discriminator, written) * factor;
        }
        self.discriminator_adam
            .backward_step(&objective, moment.learning_rate * learning_rate_ratio);

        let logits = self.discriminator.logits(&drawn);
        let generator_loss = cross_entropy(&top(&logits, moment.top_part), 1.0);
        self.generator_adam
            .backward_step(&generator_loss, moment.learning_rate);
        (
            generator_loss.double_value(&[]),
            discriminator_loss.double_value(&[]),
        )
    }

    fn checkpoint(&self) -> Checkpoint {
        let mut checkpoint = Checkpoint::default();
        checkpoint.insert("weights", self.generator.weights());
        checkpoint.insert("average", self.average.network().weights());
        checkpoint.insert("adam", self.generator_adam.state());
        checkpoint.insert("discriminator", sorted(&self.discriminator_store));
        checkpoint.insert("discriminator_adam", self.discriminator_adam.state());
        checkpoint.insert_number("steps", self.generator_adam.steps() as f64);
        checkpoint.insert_number("epoch", f64::from(self.epoch));
        checkpoint.insert_number("best", self.best);
        checkpoint
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), FitError> {
        checkpoint.restore("weights", self.generator.weights())?;
        checkpoint.restore("average", self.average.network().weights())?;
        checkpoint.restore("adam", self.generator_adam.state())?;
        checkpoint.restore("discriminator", sorted(&self.discriminator_store))?;
        checkpoint.restore("discriminator_adam", self.discriminator_adam.state())?;
        let steps = checkpoint.number("steps")? as i64;
        self.generator_adam.set_steps(steps);
        self.discriminator_adam.set_steps(steps);
        self.epoch = checkpoint.number("epoch")? as u32;
        self.best = checkpoint.number("best")?;
        Ok(())
    }
}

fn sorted(store: &nn::VarStore) -> Vec<(String, Tensor)> {
    let mut weights: Vec<_> = store.variables().into_iter().collect();
    weights.sort_by(|(left, _), (right, _)| left.cmp(right));
    weights
}

// === impl GanMetrics ===

impl GanMetrics {
    fn line(&self, epochs: u32, is_best: bool) -> String {
        let width = epochs.to_string().len();
        let (least, most) = self.quality.shares();
        format!(
            "epoch {:>width$}/{epochs}  loss of the generator {:.3}  of the discriminator {:.3}  Fréchet distance {:.2}  sure {:.1} %  \
             a digit {:.1} to {:.1} %  {:.1} s{}",
            self.epoch,
            self.generator_loss,
            self.discriminator_loss,
            self.quality.frechet_distance,
            100.0 * self.quality.sure,
            100.0 * least,
            100.0 * most,
            self.seconds,
            if is_best { "  best" } else { "" },
        )
    }
}

impl EpochLine for GanMetrics {
    fn epoch(&self) -> u32 {
        self.epoch
    }
}
