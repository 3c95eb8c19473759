//! What the manifests of all tiny models share.

use std::collections::BTreeMap;

use quintet_bundle::{FORMAT_VERSION, Golden, Manifest, Preprocessing, PreprocessingKind};
use quintet_bundle::{ProblemType, Provenance, Training};

/// A manifest without labels, inputs, outputs, samples and files.
pub(crate) fn manifest(
    (name, version): (&str, u32),
    task: &str,
    architecture: &str,
    preprocessing: &impl PreprocessingKind,
) -> Manifest {
    Manifest {
        format_version: FORMAT_VERSION,
        name: name.to_owned(),
        version,
        task: task.to_owned(),
        architecture: architecture.to_owned(),
        parameters: 7840,
        created_by: "quintet-e2e".to_owned(),
        labels: Vec::new(),
        problem_type: ProblemType::default(),
        least_divergence: None,
        preprocessing: Some(Preprocessing::of(preprocessing)),
        quantization: None,
        max_batch_size: None,
        inputs: Vec::new(),
        outputs: Vec::new(),
        provenance: Provenance::Trained(Training {
            data: "none".to_owned(),
            train_samples: 0,
            epochs: 1,
            batch_size: 1,
            seed: 1,
            threads: Some(1),
            recipe: "by hand".to_owned(),
            device: "cpu".to_owned(),
            duration_seconds: 0.0,
            init: None,
        }),
        metrics: BTreeMap::new(),
        golden: Golden {
            samples: 1,
            tolerance: 1e-4,
            self_made: false,
        },
        files: BTreeMap::new(),
    }
}
