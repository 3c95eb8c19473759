//! One step of a network that learns from labelled samples.

use serde_json::{Map, Value};
use tch::{Kind, Tensor};

use crate::bag_of_ngrams;
use crate::data::Samples;
use crate::data::augmentation::Augmenter;
use crate::fit::{Fit, Learner, Means, Step};
use crate::naive_bayes;
use crate::network::Network;
use crate::objective;
use crate::recipe::Recipe;
use crate::schedule::{Moment, Phase};
use crate::task::exam::figures;

/// A network that learns from labelled samples.
#[derive(Debug)]
pub(super) struct Classifier<'a> {
    recipe: &'a Recipe,
    train: &'a Samples,
    phase: Phase,
    augmenter: Option<Augmenter>,
    label_smoothing: f64,
    /// What to aim at in the labels' place, float32 `[n]`.
    targets: Option<Tensor>,
}

impl<'a> Classifier<'a> {
    pub(super) fn new(fit: &Fit<'a>, network: &Network) -> Self {
        let Fit { recipe, train, .. } = *fit;
        if let Some(first) = &recipe.embedding {
            naive_bayes::initialise(network, train, first.naive_bayes);
        }
        let augmenter = recipe.augmentation.as_ref().map(|it| {
            let side = train.inputs[0].size()[1];
            Augmenter::new(it.clone(), side, fit.device)
        });
        let label_smoothing = recipe.loss.as_ref().map_or(0.0, |it| it.label_smoothing);
        let distillation = recipe.distillation.zip(train.texts.as_ref());
        let targets = distillation.map(|(it, texts)| {
            let labels = train.label_values();
            let scores = bag_of_ngrams::out_of_fold(&texts.rows(), &labels, recipe.seed);
            let scores = Tensor::from_slice(&scores).to_device(fit.device);
            let labels = objective::targets(&train.labels, label_smoothing);
            let Some(tokens) = it.whole_from_tokens else {
                return labels.lerp(&scores, it.part);
            };
            let lengths = texts.lengths.to_kind(Kind::Float);
            let part = (lengths / tokens as f64).clamp_max(1.0) * it.part;
            labels.lerp_tensor(&scores, &part)
        });
        Self {
            recipe,
            train,
            phase: Phase {
                first_epoch: 1,
                epochs: recipe.epochs,
                first_step: 0,
                steps: train.len().div_ceil(recipe.batch_size),
                highest_rate: recipe.optimizer.learning_rate,
            },
            augmenter,
            label_smoothing,
            targets,
        }
    }
}

impl Learner for Classifier<'_> {
    fn lesson(&self, epoch: u32) -> (Samples, &Phase) {
        let mut samples = match &self.recipe.crop {
            Some(crop) => self.train.cropped(crop, self.recipe.seed, epoch),
            None => self.train.slice(0, self.train.len()),
        };
        // They stay with their samples when batches are drawn; `step` takes them off again.
        let targets = self.targets.as_ref().map(Tensor::shallow_clone);
        samples.inputs.extend(targets);
        (samples, &self.phase)
    }

    fn step(&mut self, network: &Network, batch: Samples, _: &Moment) -> Step {
        let Samples {
            mut inputs, labels, ..
        } = batch;
        if let (Some(augmenter), [pixels]) = (&self.augmenter, &mut inputs[..]) {
            *pixels = augmenter.apply(pixels);
        }
        let target = self.targets.as_ref().and_then(|_| inputs.pop());
        let logits = network.forward(&inputs);
        Step {
            loss: match target {
                Some(target) => objective::soft_loss(&logits, &target),
                None => objective::loss(&logits, &labels, self.label_smoothing),
            },
            weight: labels.numel() as f64,
            second: objective::correct(&logits, &labels),
        }
    }

    fn record(&self, means: &Means) -> (Map<String, Value>, String) {
        let (loss, accuracy) = (means.loss, means.second);
        let record = figures(&[("train_loss", loss), ("train_accuracy", accuracy)]);
        let percent = 100.0 * accuracy;
        let line = format!("train loss {loss:.4}  accuracy {percent:.2} %");
        (record, line)
    }
}
