//! The training loop for networks that learn from labelled samples.

use std::time::Instant;

use tch::{Device, TchError};
use thiserror::Error;

use crate::averaging::WeightAverage;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::data::Samples;
use crate::data::augmentation::Augmenter;
use crate::data::batches::Batches;
use crate::device;
use crate::evaluate::Evaluation;
use crate::naive_bayes;
use crate::network::Network;
use crate::objective;
use crate::optimizer::Adam;
use crate::plots::PlotError;
use crate::progress::Progress;
use crate::random::SplitMix64;
use crate::recipe::Recipe;
use crate::run_folder::{EpochMetrics, RunError, RunFolder};

/// One training run.
#[derive(Debug)]
pub struct Fit<'a> {
    /// What to train and how.
    pub recipe: &'a Recipe,
    /// The samples to learn from.
    pub train: &'a Samples,
    /// The samples that choose the best epoch.
    pub validation: &'a Samples,
    /// Where the samples are and the network will be.
    pub device: Device,
    /// Where checkpoints and metrics go.
    pub run: &'a RunFolder,
    /// Whether to go on from the folder's last checkpoint.
    pub resume: bool,
    /// Told after every step.
    pub progress: Progress,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All epochs were trained.
    Finished,
    /// Someone asked to stop; the folder holds the best epoch and all that is needed to go on.
    Stopped,
}

/// Why a run failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FitError {
    /// There are no samples on one side of the split.
    #[error("{train} training and {validation} validation samples, allowed: at least 1 of each")]
    TooFewSamples {
        /// How many are left to learn from.
        train: usize,
        /// How many are held out.
        validation: usize,
    },
    /// The loss is no longer a number.
    #[error("the loss became {loss} in epoch {epoch}, try a lower optimizer.learning_rate")]
    Diverged {
        /// In which epoch.
        epoch: u32,
        /// What it became.
        loss: f64,
    },
    /// The checkpoint cannot be written or resumed from.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The run's other files cannot be written or read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A picture of the epoch cannot be written.
    #[error(transparent)]
    Picture(#[from] PlotError),
    /// libtorch failed.
    #[error("libtorch: {0}")]
    Torch(#[from] TchError),
}

/// What is being trained, and how far it is.
#[derive(Debug)]
struct State {
    network: Network,
    average: WeightAverage,
    adam: Adam,
    /// Epochs that are done.
    epoch: u32,
    /// Lowest validation loss so far.
    best_loss: f64,
}

/// Trains by `fit.recipe` and leaves the best epoch in the run's `best.safetensors`.
///
/// "Best" is the lowest validation loss: it is smoother than the accuracy, so less of it is luck.
/// Every epoch draws from a random stream of its own, so a resumed run and an uninterrupted one
/// give the same weights.
///
/// `should_stop` is asked before every step.
pub fn fit(fit: &Fit<'_>, should_stop: &dyn Fn() -> bool) -> Result<Ending, FitError> {
    let Fit {
        recipe,
        train,
        validation,
        run,
        ..
    } = *fit;
    if train.is_empty() || validation.is_empty() {
        let (train, validation) = (train.len(), validation.len());
        return Err(FitError::TooFewSamples { train, validation });
    }
    let mut state = State::new(recipe, train, fit.device)?;
    if fit.resume {
        state.restore(&Checkpoint::read(&run.last())?)?;
        run.rewind_metrics::<EpochMetrics>(state.epoch)?;
    }
    let augmenter = recipe
        .augmentation
        .clone()
        .map(|it| Augmenter::new(it, fit.device));
    while state.epoch < recipe.epochs {
        let epoch = state.epoch + 1;
        let start = Instant::now();
        let Some(trained) = train_epoch(fit, &mut state, augmenter.as_ref(), should_stop)? else {
            return Ok(Ending::Stopped);
        };
        let judged = Evaluation::of(state.average.network(), validation);
        let metrics = EpochMetrics {
            epoch,
            learning_rate: trained.learning_rate,
            train_loss: trained.loss,
            train_accuracy: trained.accuracy,
            validation_loss: judged.loss,
            validation_accuracy: judged.accuracy(),
            device: device::name(fit.device),
            seconds: start.elapsed().as_secs_f64(),
        };
        let is_best = judged.loss < state.best_loss;
        state.epoch = epoch;
        // `last` is written last: whatever a kill leaves out, the resumed run writes again.
        if is_best {
            state.best_loss = judged.loss;
            write_best(state.average.network(), epoch, run)?;
        }
        run.append_metrics(&metrics)?;
        state.checkpoint().write(&run.last())?;
        fit.progress.epoch_metrics(&metrics, recipe.epochs, is_best);
    }
    Ok(Ending::Finished)
}

/// Reads the best network of a run, and its epoch, onto the CPU.
pub fn read_best(run: &RunFolder, recipe: &Recipe) -> Result<(Network, u32), FitError> {
    let checkpoint = Checkpoint::read(&run.best())?;
    let network = Network::new(recipe.architecture, Device::Cpu);
    checkpoint.restore("weights", network.weights())?;
    Ok((network, checkpoint.number("epoch")? as u32))
}

pub(crate) fn write_best(network: &Network, epoch: u32, run: &RunFolder) -> Result<(), FitError> {
    let mut checkpoint = Checkpoint::default();
    checkpoint.insert("weights", network.weights());
    checkpoint.insert_number("epoch", f64::from(epoch));
    Ok(checkpoint.write(&run.best())?)
}

/// Means over the samples of one epoch.
#[derive(Debug)]
struct Trained {
    loss: f64,
    accuracy: f64,
    learning_rate: f64,
}

// One pass over the training samples; none when asked to stop.
fn train_epoch(
    fit: &Fit<'_>,
    state: &mut State,
    augmenter: Option<&Augmenter>,
    should_stop: &dyn Fn() -> bool,
) -> Result<Option<Trained>, FitError> {
    let recipe = fit.recipe;
    let epoch = state.epoch + 1;
    seed_libtorch(recipe.seed, epoch);
    let label_smoothing = recipe
        .loss
        .as_ref()
        .map_or(0.0, |loss| loss.label_smoothing);
    let cropped = recipe
        .crop
        .as_ref()
        .map(|crop| fit.train.cropped(crop, recipe.seed, epoch));
    let train = cropped.as_ref().unwrap_or(fit.train);
    let batches = train.batches(recipe.batch_size, recipe.seed, epoch);
    let steps = Batches::count(train.len(), recipe.batch_size);
    let progress = fit.progress.epoch(epoch, recipe.epochs, steps);
    let (mut loss_sum, mut right, mut seen, mut learning_rate) = (0.0, 0, 0, 0.0);
    for (index, indices) in batches.iter().enumerate() {
        if should_stop() {
            return Ok(None);
        }
        let step = (epoch as usize - 1) * steps + index;
        learning_rate = recipe.learning_rate(step, recipe.epochs as usize * steps);

        let Samples {
            mut inputs, labels, ..
        } = train.select(indices);
        if let (Some(augmenter), [pixels]) = (augmenter, &mut inputs[..]) {
            *pixels = augmenter.apply(pixels);
        }
        let logits = state.network.forward(&inputs);
        let loss = objective::loss(&logits, &labels, label_smoothing);
        state.adam.backward_step(&loss, learning_rate);
        state.average.update(&state.network, step);

        seen += indices.len();
        loss_sum += loss.double_value(&[]) * indices.len() as f64;
        right += objective::correct(&logits, &labels).int64_value(&[]);
        progress.step(loss_sum / seen as f64);
    }
    let loss = loss_sum / seen as f64;
    if !loss.is_finite() {
        return Err(FitError::Diverged { epoch, loss });
    }
    Ok(Some(Trained {
        loss,
        accuracy: right as f64 / seen as f64,
        learning_rate,
    }))
}

// Dropout and augmentation draw from libtorch's generator. Epoch 0 stands for the first weights.
pub(crate) fn seed_libtorch(seed: u64, epoch: u32) {
    tch::manual_seed(SplitMix64::for_stream(!seed, u64::from(epoch)).next_u64() as i64);
}

// === impl State ===

impl State {
    fn new(recipe: &Recipe, train: &Samples, device: Device) -> Result<Self, FitError> {
        seed_libtorch(recipe.seed, 0);
        let dropout = recipe.sequence_dropout.unwrap_or_default();
        let network = Network::with_dropout(recipe.architecture, dropout, device);
        if let Some(first) = &recipe.embedding {
            naive_bayes::initialise(&network, train, first.naive_bayes);
        }
        let decay = recipe
            .averaging
            .as_ref()
            .map_or(0.0, |averaging| averaging.decay);
        Ok(Self {
            average: WeightAverage::new(&network, decay)?,
            adam: Adam::new(network.trainable(), &recipe.optimizer),
            network,
            epoch: 0,
            best_loss: f64::INFINITY,
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        let mut checkpoint = Checkpoint::default();
        checkpoint.insert("weights", self.network.weights());
        checkpoint.insert("average", self.average.network().weights());
        checkpoint.insert("adam", self.adam.state());
        checkpoint.insert_number("adam_steps", self.adam.steps() as f64);
        checkpoint.insert_number("epoch", f64::from(self.epoch));
        checkpoint.insert_number("best_loss", self.best_loss);
        checkpoint
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), FitError> {
        checkpoint.restore("weights", self.network.weights())?;
        checkpoint.restore("average", self.average.network().weights())?;
        checkpoint.restore("adam", self.adam.state())?;
        self.adam.set_steps(checkpoint.number("adam_steps")? as i64);
        self.epoch = checkpoint.number("epoch")? as u32;
        self.best_loss = checkpoint.number("best_loss")?;
        Ok(())
    }
}
