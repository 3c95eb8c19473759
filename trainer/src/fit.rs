//! The training loop.

use std::fmt;
use std::time::Instant;

use quintet_bundle::text::Tokenizer;
use serde_json::{Map, Value};
use tch::{Device, Tensor};

use crate::averaging::WeightAverage;
use crate::checkpoint::Checkpoint;
use crate::data::Samples;
use crate::device;
use crate::error::Error;
use crate::models::Architecture;
use crate::network::Network;
use crate::optimizer::Optimizer;
use crate::pretrained::Pretrained;
use crate::progress;
use crate::random::SplitMix64;
use crate::recipe::Recipe;
use crate::run_folder::{EpochMetrics, RunFolder};
use crate::schedule::{Moment, Phase};
use crate::task::exam::{Exam, Part};

/// One training run.
#[derive(Clone, Copy, Debug)]
pub struct Fit<'a> {
    /// The network.
    pub architecture: &'static Architecture,
    /// How to train it.
    pub recipe: &'a Recipe,
    /// What the first weights come from, if they are not random.
    pub start: Option<Start<'a>>,
    /// The samples to learn from.
    pub train: &'a Samples,
    /// What chooses the best epoch.
    pub exam: &'a dyn Exam,
    /// Where the samples are and the network will be.
    pub device: Device,
    /// Where checkpoints and metrics go.
    pub run: &'a RunFolder,
    /// Whether to go on from the folder's last checkpoint.
    pub resume: bool,
}

/// What the first weights of a network of texts come from.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The encoder.
    pub encoder: &'a Pretrained,
    /// The network's tokeniser.
    pub tokenizer: &'a Tokenizer,
}

/// How a network of some task learns.
pub trait Learner: fmt::Debug {
    /// Prepares epoch `epoch` (from 1), which may take long. Draws from libtorch's random generator,
    /// before the epoch's own stream begins. False: it was asked to stop.
    fn prepare(
        &mut self,
        _network: &Network,
        _epoch: u32,
        _should_stop: &dyn Fn() -> bool,
    ) -> bool {
        true
    }

    /// What epoch `epoch` (from 1) learns from, and its place in the schedule.
    fn lesson(&self, epoch: u32) -> (Samples, &Phase);

    /// What `network` must make smaller for `batch`. Draws from libtorch's random generator.
    fn step(&mut self, network: &Network, batch: Samples, moment: &Moment) -> Step;

    /// The figures of an epoch for `metrics.jsonl`, and for the line on the terminal.
    fn record(&self, means: &Means) -> (Map<String, Value>, String);

    /// What a checkpoint must hold in addition to the network, by name; the tensors share memory.
    fn state(&self) -> Vec<(&'static str, Vec<(String, Tensor)>)> {
        Vec::new()
    }

    /// Goes on after `steps` steps of the run; the tensors are restored through [`Learner::state`].
    fn set_steps(&mut self, _steps: i64) {}
}

/// What one step gave.
#[derive(Debug)]
pub struct Step {
    /// The mean loss, with the gradients' graph.
    pub loss: Tensor,
    /// How much the step counts in the means of the epoch.
    pub weight: f64,
    /// A second figure, times the weight: one number.
    pub second: Tensor,
}

/// Means over the steps of an epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Means {
    /// Of [`Step::loss`].
    pub loss: f64,
    /// Of [`Step::second`].
    pub second: f64,
    /// The learning rate of the last step.
    pub learning_rate: f64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All epochs were trained.
    Finished,
    /// Someone asked to stop; the folder holds the best epoch and all that is needed to go on.
    Stopped,
}

/// What is being trained, and how far it is.
#[derive(Debug)]
struct State<'a> {
    network: Network,
    average: WeightAverage,
    optimizer: Optimizer,
    learner: Box<dyn Learner + 'a>,
    /// Epochs that are done.
    epoch: u32,
    /// The lowest objective so far.
    best: f64,
}

/// Trains by `fit.recipe` and leaves the best epoch, the one with the lowest objective of the exam,
/// in the run's `best.safetensors`.
///
/// Every epoch has its own random stream, so a resumed run and an uninterrupted one give the same
/// weights. `should_stop` is asked before every step.
pub fn fit(fit: &Fit<'_>, should_stop: &dyn Fn() -> bool) -> Result<Ending, Error> {
    let Fit {
        recipe, exam, run, ..
    } = *fit;
    let (train, validation) = (fit.train.len(), exam.rows(Part::Validation));
    if train == 0 || validation == 0 {
        return Err(Error::Training(format!(
            "{train} training and {validation} validation samples, allowed: at least 1 of each"
        )));
    }
    let mut state = State::new(fit)?;
    if fit.resume {
        state.restore(&Checkpoint::read(&run.last())?)?;
        run.rewind_metrics(state.epoch)?;
    }
    while state.epoch < recipe.epochs {
        let epoch = state.epoch + 1;
        let start = Instant::now();
        let Some(means) = state.train_epoch(fit, should_stop)? else {
            return Ok(Ending::Stopped);
        };
        let average = state.average.network();
        let output = exam.output(Part::Validation, average);
        let verdict = exam.judge(Part::Validation, &output);
        exam.keep(run, epoch, &output)?;
        let (mut figures, trained) = state.learner.record(&means);
        figures.extend(verdict.record);
        let metrics = EpochMetrics {
            epoch,
            learning_rate: means.learning_rate,
            figures,
            device: device::name(fit.device),
            threads: Some(tch::get_num_threads() as u32),
            seconds: start.elapsed().as_secs_f64(),
        };
        let is_best = verdict.objective < state.best;
        state.epoch = epoch;
        // `last` is written last: the resumed run writes again whatever a kill left out.
        if is_best {
            state.best = verdict.objective;
            write_best(average, epoch, run)?;
        }
        run.append_metrics(&metrics)?;
        state.checkpoint().write(&run.last())?;
        let width = recipe.epochs.to_string().len();
        progress::line(&format!(
            "epoch {epoch:>width$}/{}  {trained}  {}  {:.1} s{}",
            recipe.epochs,
            verdict.line,
            metrics.seconds,
            if is_best { "  best" } else { "" },
        ));
    }
    Ok(Ending::Finished)
}

/// Reads the best network of a run, and its epoch, onto the CPU.
pub fn read_best(
    run: &RunFolder,
    architecture: &'static Architecture,
    recipe: &Recipe,
) -> Result<(Network, u32), Error> {
    let checkpoint = Checkpoint::read(&run.best())?;
    let network = Network::new(architecture, recipe, Device::Cpu);
    checkpoint.restore("weights", network.weights())?;
    Ok((network, checkpoint.number("epoch")? as u32))
}

fn write_best(network: &Network, epoch: u32, run: &RunFolder) -> Result<(), Error> {
    let mut checkpoint = Checkpoint::default();
    checkpoint.insert("weights", network.weights());
    checkpoint.insert_number("epoch", f64::from(epoch));
    checkpoint.write(&run.best())
}

// Dropout and augmentation draw from libtorch's generator. Epoch 0 stands for the first weights.
fn seed_libtorch(seed: u64, epoch: u32) {
    tch::manual_seed(SplitMix64::for_stream(!seed, u64::from(epoch)).next_u64() as i64);
}

impl<'a> State<'a> {
    fn new(fit: &Fit<'a>) -> Result<Self, Error> {
        let Fit {
            architecture,
            recipe,
            ..
        } = *fit;
        seed_libtorch(recipe.seed, 0);
        let network = Network::new(architecture, recipe, fit.device);
        if let Some(Start { encoder, tokenizer }) = fit.start {
            encoder.load(&network, tokenizer)?;
        }
        Ok(Self {
            learner: architecture.task.learner(fit, &network),
            average: WeightAverage::new(&network, recipe)?,
            optimizer: Optimizer::new(network.trainable(), &recipe.optimizer),
            network,
            epoch: 0,
            best: f64::INFINITY,
        })
    }

    // One pass over the training samples; nothing when asked to stop.
    fn train_epoch(
        &mut self,
        fit: &Fit<'_>,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<Option<Means>, Error> {
        let recipe = fit.recipe;
        let epoch = self.epoch + 1;
        if !self.learner.prepare(&self.network, epoch, should_stop) {
            return Ok(None);
        }
        seed_libtorch(recipe.seed, epoch);
        let (train, phase) = self.learner.lesson(epoch);
        let phase = phase.clone();
        let batches = train.batches(recipe.batch_size, recipe.seed, epoch);
        let template = "{prefix} {bar:30} {pos}/{len}  {msg}  {eta} left";
        let bar = progress::bar(template, phase.steps as u64);
        bar.set_prefix(format!("epoch {epoch}/{}", recipe.epochs));
        let (mut loss, mut second, mut weight, mut learning_rate) = (0.0, 0.0, 0.0, 0.0);
        for (index, indices) in batches.iter().enumerate() {
            if should_stop() {
                return Ok(None);
            }
            let moment = phase.moment(recipe.schedule.as_ref(), epoch, index);
            learning_rate = moment.learning_rate;
            let step = self
                .learner
                .step(&self.network, train.select(indices), &moment);
            self.optimizer.backward_step(&step.loss, learning_rate);
            self.average.update(&self.network, moment.step);
            loss += step.loss.double_value(&[]) * step.weight;
            second += step.second.double_value(&[]);
            weight += step.weight;
            bar.set_message(format!("loss {:.4}", loss / weight));
            bar.inc(1);
        }
        let (loss, second) = (loss / weight, second / weight);
        if !(loss + second).is_finite() {
            let loss = loss + second;
            return Err(Error::Training(format!(
                "the loss became {loss} in epoch {epoch}, try a lower optimizer.learning_rate"
            )));
        }
        Ok(Some(Means {
            loss,
            second,
            learning_rate,
        }))
    }

    // What a checkpoint holds; the tensors share memory.
    fn tensors(&self) -> Vec<(&'static str, Vec<(String, Tensor)>)> {
        let mut tensors = self.learner.state();
        tensors.push(("weights", self.network.weights()));
        tensors.push(("average", self.average.network().weights()));
        tensors.push(("adam", self.optimizer.state()));
        tensors
    }

    fn checkpoint(&self) -> Checkpoint {
        let mut checkpoint = Checkpoint::default();
        for (name, tensors) in self.tensors() {
            checkpoint.insert(name, tensors);
        }
        checkpoint.insert_number("adam_steps", self.optimizer.steps() as f64);
        checkpoint.insert_number("epoch", f64::from(self.epoch));
        checkpoint.insert_number("best_loss", self.best);
        checkpoint
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        for (name, tensors) in self.tensors() {
            checkpoint.restore(name, tensors)?;
        }
        // Earlier programs wrote other names for a GAN.
        let number = |name, old| checkpoint.number(name).or_else(|_| checkpoint.number(old));
        let steps = number("adam_steps", "steps")? as i64;
        self.optimizer.set_steps(steps);
        self.learner.set_steps(steps);
        self.epoch = checkpoint.number("epoch")? as u32;
        self.best = number("best_loss", "best")?;
        Ok(())
    }
}
