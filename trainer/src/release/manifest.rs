//! What a bundle says of itself.

use std::collections::BTreeMap;

use quintet_bundle as bundle;

use super::{Release, SERVING_TOLERANCE};
use crate::data::Dataset;
use crate::data::reviews::MAX_TOKENS;
use crate::evaluate::Evaluation;
use crate::export::SIDE;
use crate::run_folder::EpochMetrics;

/// What was measured.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) epochs: &'a [EpochMetrics],
    pub(super) best_epoch: u32,
    pub(super) parameters: u64,
    pub(super) golden_samples: usize,
    pub(super) float32: &'a Evaluation,
    pub(super) stored: &'a Evaluation,
    pub(super) difference: f32,
}

pub(super) fn manifest(release: &Release<'_>, facts: &Facts<'_>) -> bundle::Manifest {
    let Release {
        recipe,
        data,
        train_samples,
        version,
        ..
    } = *release;
    let name = recipe.architecture.as_str().to_owned();
    let (task, preprocessing) = match data.dataset {
        Dataset::Mnist => (
            bundle::Task::ImageClassification,
            bundle::Preprocessing::DigitFrame {
                width: SIDE,
                height: SIDE,
            },
        ),
        Dataset::Imdb => (
            bundle::Task::TextClassification,
            bundle::Preprocessing::TokenSequence {
                max_tokens: MAX_TOKENS,
            },
        ),
    };
    let mut metrics = BTreeMap::from([
        ("best_epoch".to_owned(), f64::from(facts.best_epoch)),
        (
            "onnxruntime_difference".to_owned(),
            f64::from(facts.difference),
        ),
        ("test_accuracy".to_owned(), facts.stored.accuracy()),
        ("test_accuracy_float32".to_owned(), facts.float32.accuracy()),
        ("test_loss".to_owned(), facts.stored.loss),
    ]);
    if let Some(best) = facts.epochs.iter().find(|it| it.epoch == facts.best_epoch) {
        metrics.insert("validation_accuracy".to_owned(), best.validation_accuracy);
        metrics.insert("validation_loss".to_owned(), best.validation_loss);
    }
    let last = facts.epochs.last();
    bundle::Manifest {
        format_version: bundle::FORMAT_VERSION,
        name: name.clone(),
        version,
        task,
        architecture: name,
        labels: data
            .dataset
            .labels()
            .iter()
            .map(|&it| it.to_owned())
            .collect(),
        preprocessing: Some(preprocessing),
        inputs: recipe.architecture.inputs(),
        outputs: vec![recipe.architecture.output()],
        training: bundle::Training {
            data: data.dataset.as_str().to_owned(),
            train_samples: train_samples as u64,
            epochs: last.map_or(0, |it| it.epoch),
            batch_size: recipe.batch_size as u32,
            seed: recipe.seed,
            recipe: recipe.to_toml(),
            device: last.map_or_else(String::new, |it| it.device.clone()),
            parameters: facts.parameters,
            duration_seconds: facts.epochs.iter().map(|it| it.seconds).sum(),
            created_by: super::CREATED_BY.to_owned(),
            metrics,
        },
        golden: bundle::Golden {
            samples: facts.golden_samples,
            tolerance: SERVING_TOLERANCE,
        },
        files: BTreeMap::new(),
    }
}
