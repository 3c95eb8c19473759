//! From a finished run of the GAN to the bundle of its generator: judge, export, verify, draw, write.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use quintet_bundle as bundle;
use tch::{Kind, Tensor};

use super::fit::GanMetrics;
use super::pictures;
use super::quality::{self, Judge, Quality};
use crate::data::Loaded;
use crate::export::{Precision, SIDE, export};
use crate::fit::read_best;
use crate::layers::SignedPixels;
use crate::models::Architecture;
use crate::models::gan::NOISE;
use crate::network::Network;
use crate::recipe::Recipe;
use crate::release::{CREATED_BY, ReleaseError, TOLERANCE};
use crate::run_folder::RunFolder;
use crate::verify::{LoadedModel, Runtime, VerifyError};

// Servers run other kernels, so a level that is nearly between two may be rounded to the other one.
const SERVING_TOLERANCE: f32 = 1.0;
const GOLDEN_SAMPLES: usize = 10;
// ONNX Runtime draws them one thread a core; many more prove no more.
const VERIFIED: usize = 1_000;

/// What a bundle is made from.
#[derive(Debug)]
pub struct GanRelease<'a> {
    /// The run whose best epoch is released.
    pub run: &'a RunFolder,
    /// The recipe of the run.
    pub recipe: &'a Recipe,
    /// The handwritten digits.
    pub data: &'a Loaded,
    /// Who judges.
    pub judge: &'a Judge,
    /// How many digits the bundle is judged by.
    pub judged: usize,
    /// What verifies the graph.
    pub runtime: &'a Runtime,
    /// Where bundles are.
    pub models_dir: &'a Path,
    /// The version to write; one that exists is replaced.
    pub version: u32,
}

/// What was written.
#[derive(Debug)]
pub struct ReleasedGan {
    /// The bundle's folder.
    pub bundle: PathBuf,
    /// The epoch of the lowest Fréchet distance.
    pub best_epoch: u32,
    /// The generator's digits by the weights as trained.
    pub float32: Quality,
    /// By the weights as stored: what servers will draw.
    pub stored: Quality,
    /// As many handwritten training digits, judged in the same way: what a perfect generator would reach.
    pub handwritten: Quality,
    /// The largest difference between ONNX Runtime and libtorch that is certain, of images in −1..=1; see [`parity`].
    pub difference: f32,
}

/// Judges, exports, verifies and draws the best epoch of a run, and writes its bundle.
///
/// Nothing is written to `models_dir` unless ONNX Runtime agrees with libtorch on a thousand images.
pub fn release(release: &GanRelease<'_>) -> Result<ReleasedGan, ReleaseError> {
    let GanRelease {
        run,
        recipe,
        data,
        judge,
        judged,
        runtime,
        ..
    } = *release;
    let epochs: Vec<GanMetrics> = run.metrics()?;
    if epochs.is_empty() || !run.best().exists() {
        return Err(ReleaseError::NoEpoch {
            path: run.path().to_owned(),
        });
    }
    let (mut network, best_epoch) = read_best(run, recipe)?;
    let drawn = |network: &Network| judge.judge(&quality::draw(network, quality::SEED, judged));
    let float32 = drawn(&network);
    network.round_to_half();
    let stored = drawn(&network);
    let digits = data.train.slice(0, judged);
    let handwritten = judge.judge(&digits.inputs[0]);

    let model = export(&network, Precision::Float16)?.to_bytes();
    let difference = parity(&network, &mut runtime.model(&model)?)?;

    pictures::curves(run, &epochs, best_epoch)?;
    pictures::contact_sheet(run, epochs.len() as u32)?;
    let released = ReleasedGan {
        bundle: PathBuf::new(),
        best_epoch,
        float32,
        stored,
        handwritten,
        difference,
    };
    let contents = bundle::BundleContents {
        manifest: manifest(release, &epochs, &released),
        model,
        golden: golden(&network)?,
        extra: BTreeMap::new(),
    };
    let bundle = bundle::write_bundle(release.models_dir, contents)?;
    Ok(ReleasedGan { bundle, ..released })
}

/// By how much at least ONNX Runtime's images in −1..=1 differ from libtorch's.
///
/// The graph gives grey levels, each of which stands for all values that round to it. So what is measured is how far
/// libtorch's value is outside of those. A difference of all pixels shows at those that are nearly between two levels, and of a
/// million pixels many are.
///
/// # Errors
/// A difference of more than [`TOLERANCE`], or a graph that gives something else than an image a row.
pub fn parity(network: &Network, loaded: &mut LoadedModel) -> Result<f32, VerifyError> {
    let mut difference = 0.0_f32;
    let batch = 100;
    for first in (0..VERIFIED).step_by(batch) {
        let noise = quality::noise_of(quality::SEED, first, batch);
        let served = loaded.pixels(&noise)?;
        let served = Tensor::from_slice(&served).reshape([batch as i64, SIDE as i64, SIDE as i64]);
        let images = tch::no_grad(|| network.model().forward_t(&[noise], false));
        let levels = SignedPixels.levels(&images);
        let outside = (levels - served.to_kind(Kind::Float)).abs() - 0.5;
        let outside = outside.max().double_value(&[]).max(0.0) / SignedPixels::HALF_RANGE;
        difference = difference.max(outside as f32);
    }
    if difference <= TOLERANCE {
        Ok(difference)
    } else {
        Err(VerifyError::Images {
            difference,
            tolerance: TOLERANCE,
        })
    }
}

fn golden(network: &Network) -> Result<bundle::GoldenSamples, ReleaseError> {
    let noise = quality::noise_of(quality::SEED, 0, GOLDEN_SAMPLES);
    let pixels = network.output(&[noise.shallow_clone()]);
    let noise = Vec::try_from(noise.flatten(0, -1))?;
    let pixels = Vec::try_from(pixels.flatten(0, -1))?;
    let noise = bundle::Tensor::from_f32(vec![GOLDEN_SAMPLES, NOISE], noise)?;
    let pixels = bundle::Tensor::from_u8(vec![GOLDEN_SAMPLES, SIDE, SIDE], pixels)?;
    let [input] = &Architecture::Gan.inputs()[..] else {
        unreachable!("the generator takes noise and nothing else");
    };
    Ok(bundle::GoldenSamples {
        inputs: BTreeMap::from([(input.name.clone(), noise)]),
        outputs: BTreeMap::from([(Architecture::Gan.output().name, pixels)]),
    })
}

fn manifest(
    release: &GanRelease<'_>,
    epochs: &[GanMetrics],
    released: &ReleasedGan,
) -> bundle::Manifest {
    let GanRelease {
        recipe,
        data,
        version,
        ..
    } = *release;
    let name = recipe.architecture.as_str().to_owned();
    let (least, most) = released.stored.shares();
    let metrics = [
        ("best_epoch", f64::from(released.best_epoch)),
        ("onnxruntime_difference", f64::from(released.difference)),
        ("frechet_distance", released.stored.frechet_distance),
        (
            "frechet_distance_float32",
            released.float32.frechet_distance,
        ),
        (
            "frechet_distance_handwritten",
            released.handwritten.frechet_distance,
        ),
        ("sure", released.stored.sure),
        ("least_digit_share", least),
        ("largest_digit_share", most),
    ];
    let last = epochs.last();
    bundle::Manifest {
        format_version: bundle::FORMAT_VERSION,
        name: name.clone(),
        version,
        task: recipe.architecture.task(),
        architecture: name,
        labels: Vec::new(),
        preprocessing: None,
        inputs: recipe.architecture.inputs(),
        outputs: vec![recipe.architecture.output()],
        training: bundle::Training {
            data: data.dataset.as_str().to_owned(),
            train_samples: data.train.len() as u64,
            epochs: last.map_or(0, |it| it.epoch),
            batch_size: recipe.batch_size as u32,
            seed: recipe.seed,
            recipe: recipe.to_toml(),
            device: last.map_or_else(String::new, |it| it.device.clone()),
            parameters: recipe.architecture.parameters(),
            duration_seconds: epochs.iter().map(|it| it.seconds).sum(),
            created_by: CREATED_BY.to_owned(),
            metrics: metrics.map(|(name, value)| (name.to_owned(), value)).into(),
        },
        golden: bundle::Golden {
            samples: GOLDEN_SAMPLES,
            tolerance: SERVING_TOLERANCE,
        },
        files: BTreeMap::new(),
    }
}
