//! What a bundle says of itself.

use std::collections::BTreeMap;

use quintet_bundle as bundle;

use super::Release;
use crate::fit::Fit;
use crate::run_folder::EpochMetrics;
use crate::task::{Serving, Signature};

const CREATED_BY: &str = concat!("quintet-trainer ", env!("CARGO_PKG_VERSION"));

/// What was measured.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) epochs: &'a [EpochMetrics],
    pub(super) best_epoch: u32,
    pub(super) parameters: u64,
    pub(super) metrics: BTreeMap<String, f64>,
    pub(super) signature: Signature,
    pub(super) serving: Serving,
}

pub(super) fn manifest(release: &Release<'_>, facts: Facts<'_>) -> bundle::Manifest {
    let Fit {
        architecture,
        recipe,
        train,
        ..
    } = *release.fit;
    let Facts {
        epochs,
        best_epoch,
        mut metrics,
        signature,
        serving,
        ..
    } = facts;
    let best = epochs.iter().filter(|it| it.epoch == best_epoch);
    let figures = best
        .flat_map(|it| &it.figures)
        .filter(|(name, _)| name.starts_with("validation_"));
    metrics.extend(figures.filter_map(|(name, it)| Some((name.clone(), it.as_f64()?))));
    let last = epochs.last();
    let samples = serving.golden.first().map_or(0, |it| it.size()[0] as usize);
    let name = architecture.name.to_owned();
    bundle::Manifest {
        format_version: bundle::FORMAT_VERSION,
        name: name.clone(),
        version: release.version,
        task: architecture.task.name().to_owned(),
        architecture: name,
        parameters: facts.parameters,
        created_by: CREATED_BY.to_owned(),
        labels: serving.labels,
        preprocessing: serving.preprocessing,
        inputs: signature.inputs,
        outputs: vec![signature.output],
        provenance: bundle::Provenance::Trained(bundle::Training {
            data: architecture.dataset.name().to_owned(),
            train_samples: train.len() as u64,
            epochs: last.map_or(0, |it| it.epoch),
            batch_size: recipe.batch_size as u32,
            seed: recipe.seed,
            recipe: recipe.to_toml(),
            device: last.map_or_else(String::new, |it| it.device.clone()),
            threads: Some(tch::get_num_threads() as u32),
            duration_seconds: epochs.iter().map(|it| it.seconds).sum(),
        }),
        metrics,
        golden: bundle::Golden {
            samples,
            tolerance: serving.tolerance,
        },
        files: BTreeMap::new(),
    }
}
