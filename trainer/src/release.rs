//! From a finished run to a bundle: judge, export, verify, draw, write.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use quintet_bundle as bundle;
use quintet_data::mnist::Digits;
use quintet_onnx::GraphError;
use tch::{Device, TchError};
use thiserror::Error;

use crate::data::Samples;
use crate::evaluate::{self, Evaluation};
use crate::export::{INPUT, OUTPUT, Precision, SIDE, export};
use crate::fit::{FitError, read_best};
use crate::golden;
use crate::network::Network;
use crate::plots::{self, PlotError};
use crate::recipe::Recipe;
use crate::run_folder::{EpochMetrics, RunError, RunFolder};
use crate::verify::{Runtime, VerifyError, compare};

/// How far ONNX Runtime may be from libtorch, in absolute probability.
pub const TOLERANCE: f32 = 1e-4;

// Servers run other kernels, on other processors, than the ones compared here.
const SERVING_TOLERANCE: f32 = 1e-3;

/// What a bundle is made from.
#[derive(Debug)]
pub struct Release<'a> {
    /// The run whose best epoch is released.
    pub run: &'a RunFolder,
    /// The recipe of the run.
    pub recipe: &'a Recipe,
    /// How many images the run learned from.
    pub train_samples: usize,
    /// The test images: they judge, and choose nothing.
    pub test: &'a Digits,
    /// What verifies the graph.
    pub runtime: &'a Runtime,
    /// Where bundles are.
    pub models_dir: &'a Path,
    /// The version to write; one that exists is replaced.
    pub version: u32,
}

/// What was written.
#[derive(Debug)]
pub struct Released {
    /// The bundle's folder.
    pub bundle: PathBuf,
    /// The epoch that was best on the validation images.
    pub best_epoch: u32,
    /// The test images judged by the weights as trained.
    pub float32: Evaluation,
    /// The test images judged by the weights as stored: what servers will give.
    pub stored: Evaluation,
    /// The largest absolute difference between ONNX Runtime and libtorch on the test images.
    pub difference: f32,
}

/// Why no bundle was written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The run has no epoch yet.
    #[error("{path}: no epoch has been finished, train first")]
    NoEpoch {
        /// The run's folder.
        path: PathBuf,
    },
    /// The run's checkpoint cannot be read.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The run's other files cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The network cannot be written as a graph.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// ONNX Runtime does not give what libtorch gives.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A picture cannot be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// The golden samples are not tensors.
    #[error(transparent)]
    Golden(#[from] bundle::TensorError),
    /// The bundle cannot be written.
    #[error(transparent)]
    Bundle(#[from] bundle::BundleError),
    /// libtorch failed.
    #[error("libtorch: {0}")]
    Torch(#[from] TchError),
}

/// Judges, exports, verifies and draws the best epoch of a run, and writes its bundle.
///
/// Nothing is written to `models_dir` unless ONNX Runtime agrees with libtorch on every test image.
pub fn release(release: &Release<'_>) -> Result<Released, ReleaseError> {
    let Release {
        run,
        recipe,
        test,
        runtime,
        ..
    } = *release;
    let epochs = run.metrics()?;
    if epochs.is_empty() || !run.best().exists() {
        return Err(ReleaseError::NoEpoch {
            path: run.path().to_owned(),
        });
    }
    let (mut network, best_epoch) = read_best(run, recipe)?;
    let samples = Samples::from_digits(test, Device::Cpu);

    let float32 = Evaluation::of(&network, &samples);
    network.round_to_half();
    let expected = evaluate::probabilities(&network, &samples);
    let stored = Evaluation::new(&expected, &test.labels);

    let model = export(&network, Precision::Float16)?.to_bytes();
    let mut loaded = runtime.model(&model)?;
    let difference = compare(&expected, &loaded.probabilities(&test.images)?, TOLERANCE)?;

    draw(release, &epochs, best_epoch, &stored, &expected)?;
    let golden = golden_samples(&network)?;
    let facts = Facts {
        epochs: &epochs,
        best_epoch,
        float32: &float32,
        stored: &stored,
        difference,
    };
    let manifest = manifest(release, &facts, network.parameters());
    let extra = BTreeMap::new();
    let contents = bundle::BundleContents {
        manifest,
        model,
        golden,
        extra,
    };
    let bundle = bundle::write_bundle(release.models_dir, contents)?;
    Ok(Released {
        bundle,
        best_epoch,
        float32,
        stored,
        difference,
    })
}

fn draw(
    release: &Release<'_>,
    epochs: &[EpochMetrics],
    best_epoch: u32,
    stored: &Evaluation,
    probabilities: &[f32],
) -> Result<(), PlotError> {
    let Release {
        run, recipe, test, ..
    } = *release;
    let name = recipe.architecture.as_str().to_uppercase();
    let accuracy = 100.0 * stored.accuracy();
    plots::curves::draw(
        &run.file("curves.png"),
        &format!("{name}: training"),
        epochs,
        best_epoch,
    )?;
    let title = format!(
        "{name}: {accuracy:.2} % of {} test digits",
        test.labels.len()
    );
    plots::confusion::draw(&run.file("confusion.png"), &title, &stored.confusion)?;
    let judged = plots::digits::Judged {
        pixels: &test.images,
        labels: &test.labels,
        probabilities,
    };
    plots::digits::draw(&run.file("digits.png"), &title, judged)
}

fn golden_samples(network: &Network) -> Result<bundle::GoldenSamples, ReleaseError> {
    let pixels = golden::digits()?;
    let count = pixels.len() / (SIDE * SIDE);
    let input = tch::Tensor::from_slice(&pixels).reshape([count as i64, SIDE as i64, SIDE as i64]);
    let output = network.probabilities(&input).flatten(0, -1);
    let output = Vec::<f32>::try_from(output)?;
    let classes = evaluate::CLASSES;
    let input = bundle::Tensor::from_u8(vec![count, SIDE, SIDE], pixels)?;
    let output = bundle::Tensor::from_f32(vec![count, classes], output)?;
    Ok(bundle::GoldenSamples {
        inputs: BTreeMap::from([(INPUT.to_owned(), input)]),
        outputs: BTreeMap::from([(OUTPUT.to_owned(), output)]),
    })
}

/// What was measured.
#[derive(Debug)]
struct Facts<'a> {
    epochs: &'a [EpochMetrics],
    best_epoch: u32,
    float32: &'a Evaluation,
    stored: &'a Evaluation,
    difference: f32,
}

fn manifest(release: &Release<'_>, facts: &Facts<'_>, parameters: u64) -> bundle::Manifest {
    let Release {
        recipe,
        train_samples,
        version,
        ..
    } = *release;
    let name = recipe.architecture.as_str().to_owned();
    let row = |rest: &[usize]| {
        let rest = rest.iter().map(|&length| bundle::Dim::Fixed(length));
        std::iter::once(bundle::Dim::from("N"))
            .chain(rest)
            .collect::<Vec<_>>()
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
        task: bundle::Task::ImageClassification,
        architecture: name,
        labels: (0..evaluate::CLASSES)
            .map(|digit| digit.to_string())
            .collect(),
        preprocessing: Some(bundle::Preprocessing::DigitFrame {
            width: SIDE,
            height: SIDE,
        }),
        inputs: vec![bundle::TensorSpec::new(
            INPUT,
            bundle::DataType::Uint8,
            row(&[SIDE, SIDE]),
        )],
        outputs: vec![bundle::TensorSpec::new(
            OUTPUT,
            bundle::DataType::Float32,
            row(&[evaluate::CLASSES]),
        )],
        training: bundle::Training {
            data: "MNIST".to_owned(),
            train_samples: train_samples as u64,
            epochs: last.map_or(0, |it| it.epoch),
            batch_size: recipe.batch_size as u32,
            seed: recipe.seed,
            recipe: recipe.to_toml(),
            device: last.map_or_else(String::new, |it| it.device.clone()),
            parameters,
            duration_seconds: facts.epochs.iter().map(|it| it.seconds).sum(),
            created_by: concat!("quintet-trainer ", env!("CARGO_PKG_VERSION")).to_owned(),
            metrics,
        },
        golden: bundle::Golden {
            samples: evaluate::CLASSES,
            tolerance: SERVING_TOLERANCE,
        },
        files: BTreeMap::new(),
    }
}
