//! One step of generator and discriminator.

use serde_json::{Map, Value};
use tch::{Kind, Reduction, Tensor, nn};

use super::feature_matching::Matching;
use super::stages::{Stage, stages};
use crate::data::Samples;
use crate::fit::{Fit, Learner, Means, Step};
use crate::layers::{Layer, Sequential, SignedPixels};
use crate::models::gan::{NOISE, discriminator};
use crate::network::{Network, sorted};
use crate::optimizer::Optimizer;
use crate::precision::Precision;
use crate::recipe::Adversarial;
use crate::schedule::{Moment, Phase};
use crate::task::exam::{Part, figures};

// The gradient penalty is taken once in this many steps, with that weight (Karras et al. 2020,
// "Analyzing and improving the image quality of StyleGAN", section 3.1).
const PENALTY_INTERVAL: usize = 16;

/// The discriminator, and what the generator learns from.
#[derive(Debug)]
pub(super) struct Adversary<'a> {
    fit: Fit<'a>,
    settings: Adversarial,
    stages: Vec<Stage>,
    discriminator: Sequential,
    store: nn::VarStore,
    optimizer: Optimizer,
    /// Made when the tuning begins.
    matching: Option<Matching>,
}

// The `part` of log odds that is largest, at least one.
fn top(logits: &Tensor, part: f64) -> Tensor {
    let count = logits.size()[0];
    let kept = ((count as f64 * part).round() as i64).clamp(1, count);
    logits.topk(kept, 0, true, false).0
}

// Mean cross entropy of log odds with one target for all.
fn cross_entropy(logits: &Tensor, target: f64) -> Tensor {
    let (target, weight) = (logits.full_like(target), None::<Tensor>);
    logits.binary_cross_entropy_with_logits(&target, weight, None, Reduction::Mean)
}

// The discriminator's log odds of images `[N, 28, 28]`: `[N]`. Dropout is always on, since only
// training uses the discriminator.
fn log_odds(discriminator: &Sequential, images: &Tensor) -> Tensor {
    let logits = discriminator.forward_t(images, true);
    logits.squeeze_dim(1).to_kind(Kind::Float)
}

// Half the mean squared norm of the discriminator's gradient at `written`, in float32.
fn squared_gradient(discriminator: &Sequential, written: &Tensor) -> Tensor {
    let written = written.set_requires_grad(true);
    let log_odds = || log_odds(discriminator, &written);
    let sum = Precision::Float32.scope(log_odds).sum(Kind::Float);
    let gradient = &Tensor::run_backward(&[sum], &[written], true, true)[0];
    let square = gradient.square();
    let norms = square.sum_dim_intlist([1, 2].as_slice(), false, Kind::Float);
    norms.mean(Kind::Float) * 0.5
}

impl<'a> Adversary<'a> {
    pub(super) fn new(fit: &Fit<'a>) -> Self {
        let settings = fit.recipe.adversarial.clone().unwrap_or_default();
        let store = nn::VarStore::new(fit.device);
        let discriminator = discriminator(&store.root());
        Self {
            fit: *fit,
            stages: stages(fit.recipe, &settings, fit.train),
            settings,
            discriminator,
            matching: None,
            optimizer: Optimizer::new(sorted(&store), &fit.recipe.optimizer),
            store,
        }
    }

    fn stage(&self, epoch: u32) -> &Stage {
        let stage = self.stages.iter().find(|it| it.phase.contains(epoch));
        stage.expect("the stages have every epoch of the recipe")
    }

    // The discriminator makes its step here; the generator's loss is given.
    fn train_both(&mut self, generator: &Network, batch: &Samples, moment: &Moment) -> Step {
        let stage = self.stage(moment.epoch);
        let (top_part, is_tuning) = (stage.top_part(&self.settings, moment), stage.is_tuning);
        let epoch = moment.epoch - stage.phase.first_epoch;
        let written = SignedPixels.from_pixels(&batch.inputs[0]);
        let noise = [written.size()[0], NOISE as i64];
        let noise = Tensor::randn(noise, (Kind::Float, written.device()));
        let drawn = generator.model().forward_t(&[noise], !is_tuning);
        let drawn = drawn.to_kind(Kind::Float);

        let Adversarial {
            label_smoothing,
            gradient_penalty,
            learning_rate_ratio,
            ..
        } = self.settings;
        let discriminator = &self.discriminator;
        let real = cross_entropy(&log_odds(discriminator, &written), 1.0 - label_smoothing);
        let fake = cross_entropy(&log_odds(discriminator, &drawn.detach()), 0.0);
        let loss = real + fake;
        let mut objective = loss.shallow_clone();
        if gradient_penalty > 0.0 && moment.step.is_multiple_of(PENALTY_INTERVAL) {
            let factor = gradient_penalty * PENALTY_INTERVAL as f64;
            objective += squared_gradient(discriminator, &written) * factor;
        }
        let rate = moment.learning_rate * learning_rate_ratio;
        self.optimizer.backward_step(&objective, rate);
        let logits = log_odds(&self.discriminator, &drawn);
        let mut generator_loss = cross_entropy(&top(&logits, top_part), 1.0);
        if let Some(matching) = &mut self.matching {
            generator_loss += matching.loss(epoch, generator, &drawn);
        }
        Step {
            loss: generator_loss,
            weight: 1.0,
            second: loss,
        }
    }
}

impl Learner for Adversary<'_> {
    fn prepare(&mut self, generator: &Network, epoch: u32, should_stop: &dyn Fn() -> bool) -> bool {
        let tuning = self.settings.tuning.as_ref();
        let matching = tuning.and_then(|it| it.feature_matching.as_ref());
        let stage = self.stage(epoch);
        let Some(settings) = matching.filter(|_| stage.is_tuning) else {
            return true;
        };
        let epoch = epoch - stage.phase.first_epoch;
        if self.matching.as_ref().is_none_or(|it| !it.is_of(epoch)) {
            let Fit { recipe, train, .. } = self.fit;
            let drawn = self.fit.exam.rows(Part::Validation);
            let settings = (settings, settings.generation_in(epoch));
            let new = || Matching::new(settings, recipe.seed, train, drawn, should_stop);
            self.matching = generator.in_precision(new);
        }
        self.matching.is_some()
    }

    fn lesson(&self, epoch: u32) -> (Samples, &Phase) {
        let Stage { train, phase, .. } = self.stage(epoch);
        (train.slice(0, train.len()), phase)
    }

    fn step(&mut self, generator: &Network, batch: Samples, moment: &Moment) -> Step {
        generator.in_precision(|| self.train_both(generator, &batch, moment))
    }

    fn record(&self, means: &Means) -> (Map<String, Value>, String) {
        let (generator, discriminator) = (means.loss, means.second);
        let losses = [
            ("generator_loss", generator),
            ("discriminator_loss", discriminator),
        ];
        let line = format!(
            "loss of the generator {generator:.3}  of the discriminator {discriminator:.3}"
        );
        (figures(&losses), line)
    }

    fn state(&self) -> Vec<(&'static str, Vec<(String, Tensor)>)> {
        vec![
            ("discriminator", sorted(&self.store)),
            ("discriminator_adam", self.optimizer.state()),
        ]
    }

    fn set_steps(&mut self, steps: i64) {
        self.optimizer.set_steps(steps);
    }
}
