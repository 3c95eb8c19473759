//! One step of a network that learns from labelled samples.

use serde_json::{Map, Value};
use tch::{Device, Kind, Tensor};

use crate::bag_of_ngrams;
use crate::data::Samples;
use crate::data::augmentation::Augmenter;
use crate::data::outliers::{Outliers, Pool};
use crate::data::text::Texts;
use crate::fit::{Fit, Learner, Means, Step};
use crate::naive_bayes;
use crate::network::Network;
use crate::objective;
use crate::random::SplitMix64;
use crate::recipe::{Distillation, Recipe};
use crate::schedule::{Moment, Phase};
use crate::task::exam::figures;

// Added to the pass: the parts and the epochs' orders are drawn from different streams.
const PARTS_STREAM: u64 = 2 << 32;

/// A network that learns from labelled samples.
#[derive(Debug)]
pub(super) struct Classifier<'a> {
    recipe: &'a Recipe,
    train: &'a Samples,
    phase: Phase,
    augmenter: Option<Augmenter>,
    outliers: Option<(Outliers, Pool)>,
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
        let pool = |it| (it, Pool::new(train, recipe.seed, fit.device));
        let label_smoothing = recipe.loss.as_ref().map_or(0.0, |it| it.label_smoothing);
        let distillation = recipe.distillation.zip(train.texts.as_ref());
        let targets = distillation.map(|(it, texts)| {
            let labels = objective::targets(&train.labels, label_smoothing);
            let own = texts.scores.isnan();
            let scores = bag_of_ngrams(texts, &train.labels, &own, recipe.seed);
            mixed(&it, texts, &labels, &scores).where_self(&own, &texts.scores)
        });
        Self {
            recipe,
            train,
            phase: Phase {
                first_epoch: 1,
                epochs: recipe.epochs,
                first_step: 0,
                steps: part_size(recipe, train.len()).div_ceil(recipe.batch_size),
                highest_rate: recipe.optimizer.learning_rate,
            },
            augmenter,
            outliers: recipe.outliers.map(pool),
            label_smoothing,
            targets,
        }
    }
}

/// The targets between `labels` and `scores`, float32 `[n]`.
fn mixed(settings: &Distillation, texts: &Texts, labels: &Tensor, scores: &Tensor) -> Tensor {
    let Some(tokens) = settings.whole_from_tokens else {
        return labels.lerp(scores, settings.part);
    };
    let lengths = texts.lengths.to_kind(Kind::Float);
    let part = (lengths / tokens as f64).clamp_max(1.0) * settings.part;
    labels.lerp_tensor(scores, &part)
}

/// What a bag of n-grams says of the `own` texts, those without a teacher's score: float32 `[n]`,
/// 0 for the others.
fn bag_of_ngrams(texts: &Texts, labels: &Tensor, own: &Tensor, seed: u64) -> Tensor {
    let rows = own.nonzero().squeeze_dim(1);
    let learnt = texts.choose(|it| it.index_select(0, &rows));
    let labels = labels.index_select(0, &rows).to_device(Device::Cpu);
    let labels = Vec::try_from(labels).expect("labels are int64 [n]");
    let scores = bag_of_ngrams::out_of_fold(&learnt.rows(), &labels, seed);
    let scores = Tensor::from_slice(&scores).to_device(own.device());
    texts.scores.zeros_like().index_copy(0, &rows, &scores)
}

/// The part of `samples` that epoch `epoch` (from 1) learns from.
fn part(recipe: &Recipe, samples: Samples, epoch: u32) -> Samples {
    if recipe.parts == 1 {
        return samples;
    }
    let (pass, part) = ((epoch - 1) / recipe.parts, (epoch - 1) % recipe.parts);
    let mut random = SplitMix64::for_stream(recipe.seed, PARTS_STREAM + u64::from(pass));
    let order = random.permutation(samples.len());
    let mut parts = order.chunks(part_size(recipe, samples.len()));
    samples.select(parts.nth(part as usize).unwrap_or_default())
}

/// How many of `samples` samples an epoch learns from; fewer in the last part of a pass.
fn part_size(recipe: &Recipe, samples: usize) -> usize {
    samples.div_ceil(recipe.parts as usize)
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
        (part(self.recipe, samples, epoch), &self.phase)
    }

    fn step(&mut self, network: &Network, batch: Samples, moment: &Moment) -> Step {
        let Samples {
            mut inputs,
            mut labels,
            ..
        } = batch;
        if let (Some((settings, pool)), [pixels]) = (&self.outliers, &mut inputs[..]) {
            let batch = (&*pixels, &labels);
            (*pixels, labels) = pool.extend(batch, settings.drawn_digits, settings.part);
        }
        let settings = self.recipe.augmentation.as_ref();
        let deforms = settings.is_some_and(|it| it.deforms(moment.epoch, self.recipe.epochs));
        let augmenter = self.augmenter.as_ref().filter(|_| deforms);
        if let (Some(augmenter), [pixels]) = (augmenter, &mut inputs[..]) {
            *pixels = augmenter.apply(pixels);
        }
        let target = self.targets.as_ref().and_then(|_| inputs.pop());
        let logits = network.forward(&inputs);
        Step {
            loss: match target {
                Some(target) => objective::soft_loss(&logits, &target),
                None if self.outliers.is_some() => {
                    objective::loss_with_outliers(&logits, &labels, self.label_smoothing)
                }
                None => objective::loss(&logits, &labels, self.label_smoothing),
            },
            weight: labels.numel() as f64,
            second: objective::correct(&logits.narrow(0, 0, labels.size()[0]), &labels),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::text::Frame;
    use crate::models::MLP;

    #[test]
    fn texts_with_a_teacher_are_left_out_of_the_bag_of_ngrams() {
        let tokens: Vec<i32> = (0..40).map(|it| 3 + it % 2).collect();
        let lengths = Tensor::ones([40], (Kind::Int64, Device::Cpu));
        let texts = Texts::new(Tensor::from_slice(&tokens), lengths, 9, Frame::default());
        // With the opposite labels of the second half, no word would tell anything.
        let labels = (0..40).map(|it| if it < 20 { it % 2 } else { 1 - it % 2 });
        let labels = Tensor::from_slice(&labels.collect::<Vec<i64>>());
        let scores = texts.scores.shallow_clone();
        let _ = scores.narrow(0, 20, 20).fill_(0.25);
        let own = scores.isnan();
        let found = bag_of_ngrams(&texts.with_scores(scores), &labels, &own, 1);
        for (row, word) in tokens.iter().enumerate() {
            let score = found.double_value(&[row as i64]);
            let expected = match (row, word) {
                (20.., _) => score.abs() <= 0.0,
                (_, 3) => score < 0.5,
                _ => score > 0.5,
            };
            assert!(expected, "{row}: {score}");
        }
    }

    #[test]
    fn the_parts_of_a_pass_are_all_samples_once() {
        let recipe = Recipe {
            parts: 3,
            ..MLP.recipe()
        };
        let samples = |epoch| {
            let samples = Samples {
                inputs: vec![Tensor::zeros([10, 1], (Kind::Float, Device::Cpu))],
                labels: Tensor::arange(10, (Kind::Int64, Device::Cpu)),
                texts: None,
            };
            part(&recipe, samples, epoch).label_values()
        };
        let mut passes = [vec![], vec![]];
        for (index, pass) in passes.iter_mut().enumerate() {
            let parts: Vec<_> = (1..=3).map(|it| samples(3 * index as u32 + it)).collect();
            assert_eq!([4, 4, 2], [0, 1, 2].map(|it| parts[it].len()));
            *pass = parts.concat();
        }
        assert_ne!(passes[0], passes[1]);
        for mut pass in passes {
            pass.sort_unstable();
            assert_eq!(pass, (0..10).collect::<Vec<i64>>());
        }
    }
}
