//! From a finished run to a bundle: judge, export, verify, draw, write.

mod manifest;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use quintet_bundle as bundle;
use quintet_bundle::text::{TOKENIZER_FILE, Tokenizer, TokenizerError};
use quintet_onnx::GraphError;
use tch::{Kind, TchError};
use thiserror::Error;

use crate::data::reviews::Texts;
use crate::data::{Dataset, Loaded, Samples};
use crate::evaluate::{self, Evaluation};
use crate::export::{Precision, SIDE, export};
use crate::fit::{FitError, read_best};
use crate::golden;
use crate::network::Network;
use crate::plots::{self, PlotError};
use crate::recipe::Recipe;
use crate::run_folder::{EpochMetrics, RunError, RunFolder};
use crate::verify::{Runtime, VerifyError, compare};

use manifest::{Facts, manifest};

/// How far ONNX Runtime may be from libtorch, in absolute probability.
pub const TOLERANCE: f32 = 1e-4;

/// What a bundle says made it.
pub const CREATED_BY: &str = concat!("quintet-trainer ", env!("CARGO_PKG_VERSION"));

// Servers run other kernels, on other processors, than the ones compared here.
const SERVING_TOLERANCE: f32 = 1e-3;

/// What a bundle is made from.
#[derive(Debug)]
pub struct Release<'a> {
    /// The run whose best epoch is released.
    pub run: &'a RunFolder,
    /// The recipe of the run.
    pub recipe: &'a Recipe,
    /// How many samples the run learned from.
    pub train_samples: usize,
    /// The data. Its test samples judge, and choose nothing.
    pub data: &'a Loaded,
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
    /// The test samples judged by the weights as trained.
    pub float32: Evaluation,
    /// The test samples judged by the weights as stored: what servers will give.
    pub stored: Evaluation,
    /// The largest absolute difference between ONNX Runtime and libtorch on the test samples.
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
    /// The tokeniser cannot be used or written.
    #[error("tokeniser: {0}")]
    Tokenizer(#[from] TokenizerError),
    /// The bundle cannot be written.
    #[error(transparent)]
    Bundle(#[from] bundle::BundleError),
    /// libtorch failed.
    #[error("libtorch: {0}")]
    Torch(#[from] TchError),
}

/// Judges, exports, verifies and draws the best epoch of a run, and writes its bundle.
///
/// Nothing is written to `models_dir` unless ONNX Runtime agrees with libtorch on every test sample.
pub fn release(release: &Release<'_>) -> Result<Released, ReleaseError> {
    let Release {
        run,
        recipe,
        data,
        runtime,
        ..
    } = *release;
    let epochs: Vec<EpochMetrics> = run.metrics()?;
    if epochs.is_empty() || !run.best().exists() {
        return Err(ReleaseError::NoEpoch {
            path: run.path().to_owned(),
        });
    }
    let (mut network, best_epoch) = read_best(run, recipe)?;
    let labels = data.test.label_values();

    let float32 = Evaluation::of(&network, &data.test);
    network.round_to_half();
    let expected = evaluate::probabilities(&network, &data.test);
    let stored = Evaluation::new(&expected, &labels);

    let model = export(&network, Precision::Float16)?.to_bytes();
    let mut loaded = runtime.model(&model)?;
    let difference = compare(&expected, &loaded.probabilities(&data.test)?, TOLERANCE)?;

    draw(release, &epochs, best_epoch, &stored, &expected)?;
    let golden = golden_samples(&network, data.tokenizer.as_ref())?;
    let facts = Facts {
        epochs: &epochs,
        parameters: network.parameters(),
        golden_samples: golden.outputs.values().map(|it| it.shape()[0]).sum(),
        best_epoch,
        float32: &float32,
        stored: &stored,
        difference,
    };
    let manifest = manifest(release, &facts);
    let mut extra = BTreeMap::new();
    if let Some(tokenizer) = &data.tokenizer {
        extra.insert(TOKENIZER_FILE.to_owned(), tokenizer.to_bytes()?);
    }
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
        run, recipe, data, ..
    } = *release;
    let name = recipe.architecture.as_str().to_uppercase();
    let (accuracy, all) = (100.0 * stored.accuracy(), data.test.len());
    plots::curves::draw(
        &run.file("curves.png"),
        &format!("{name}: training"),
        epochs,
        best_epoch,
    )?;
    let labels = data.test.label_values();
    match data.dataset {
        Dataset::Mnist => {
            let title = format!("{name}: {accuracy:.2} % of {all} test digits");
            plots::confusion::draw(&run.file("confusion.png"), &title, &stored.confusion)?;
            let judged = plots::digits::Judged {
                pixels: &pixels(&data.test),
                labels: &labels,
                probabilities,
            };
            plots::digits::draw(&run.file("digits.png"), &title, judged)
        }
        Dataset::Imdb => {
            let title = format!("{name}: {accuracy:.2} % of {all} test reviews");
            plots::scores::draw(&run.file("scores.png"), &title, probabilities, &labels)
        }
    }
}

fn pixels(digits: &Samples) -> Vec<u8> {
    Vec::try_from(digits.inputs[0].flatten(0, -1)).expect("pixels are uint8")
}

fn golden_samples(
    network: &Network,
    tokenizer: Option<&Tokenizer>,
) -> Result<bundle::GoldenSamples, ReleaseError> {
    let inputs = match tokenizer {
        None => {
            let pixels = golden::digits()?;
            let count = pixels.len() / (SIDE * SIDE);
            vec![bundle::Tensor::from_u8(vec![count, SIDE, SIDE], pixels)?]
        }
        Some(tokenizer) => {
            let rows = Texts::encode(tokenizer, &golden::reviews())?.ends();
            let [count, width] = [0, 1].map(|axis| rows[0].size()[axis] as usize);
            let tokens = Vec::try_from(rows[0].flatten(0, -1))?;
            vec![
                bundle::Tensor::from_i64(vec![count, width], tokens)?,
                bundle::Tensor::from_i32(vec![count], Vec::try_from(&rows[1])?)?,
            ]
        }
    };
    let tensors: Vec<tch::Tensor> = inputs.iter().map(torch).collect();
    let output = network.output(&tensors);
    let shape: Vec<usize> = output.size().iter().map(|&it| it as usize).collect();
    let output = bundle::Tensor::from_f32(shape, Vec::try_from(output.flatten(0, -1))?)?;
    let architecture = network.architecture();
    let names = architecture.inputs().into_iter().map(|spec| spec.name);
    Ok(bundle::GoldenSamples {
        inputs: names.zip(inputs).collect(),
        outputs: BTreeMap::from([(architecture.output().name, output)]),
    })
}

fn torch(tensor: &bundle::Tensor) -> tch::Tensor {
    let shape: Vec<i64> = tensor.shape().iter().map(|&length| length as i64).collect();
    let kind = match tensor.datatype() {
        bundle::DataType::Uint8 => Kind::Uint8,
        bundle::DataType::Int32 => Kind::Int,
        bundle::DataType::Int64 => Kind::Int64,
        bundle::DataType::Float32 => Kind::Float,
    };
    tch::Tensor::from_data_size(tensor.bytes(), &shape, kind)
}
