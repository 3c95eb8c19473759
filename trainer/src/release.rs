//! From a finished run to a bundle: judge, export, verify, draw, write.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use quintet_bundle as bundle;
use tch::{Kind, Tensor};

use crate::data::Loaded;
use crate::error::Error;
use crate::export::export;
use crate::fit::{Fit, read_best};
use crate::run_folder::EpochMetrics;
use crate::task::exam::{Drawing, INT8_TOLERANCE, Part};
use crate::temperature;
use crate::verify::Runtime;

/// What manifests name as their writer.
pub(crate) const CREATED_BY: &str = concat!("quintet-trainer ", env!("CARGO_PKG_VERSION"));

/// What a bundle is made from.
#[derive(Debug)]
pub struct Release<'a> {
    /// The run whose best epoch is released. Its exam judges that epoch by [`Part::Test`].
    pub fit: &'a Fit<'a>,
    /// The data.
    pub data: &'a Loaded,
    /// What verifies the graph.
    pub runtime: &'a Runtime,
    /// Where bundles are.
    pub models_dir: &'a Path,
    /// The version to write; one that exists is replaced.
    pub version: u32,
    /// Whether the bundle computes in int8.
    pub quantization: Option<bundle::Quantization>,
}

/// What was written.
#[derive(Debug)]
pub struct Released {
    /// The bundle's folder.
    pub bundle: PathBuf,
    /// The number of the released epoch.
    pub best_epoch: u32,
    /// What it is worth, as lines of text.
    pub report: String,
}

/// Judges, exports, verifies and draws the best epoch of a run, and writes its bundle.
///
/// Nothing is written to `models_dir` unless ONNX Runtime agrees with libtorch.
pub fn release(release: &Release<'_>) -> Result<Released, Error> {
    let Fit {
        architecture,
        run,
        recipe,
        exam,
        ..
    } = *release.fit;
    let epochs = run.metrics()?;
    if epochs.is_empty() || !run.best().exists() {
        let cause = "no epoch has been finished, train first";
        return Err(Error::file(run.path())(cause));
    }
    let (mut network, best_epoch) = read_best(run, architecture, recipe)?;
    let temperature = recipe
        .outliers
        .map(|_| temperature::fitted(exam, &network, recipe));
    if let Some(temperature) = temperature {
        network.divide_logits(temperature)?;
    }
    let trained = exam.judge(Part::Test, &exam.output(Part::Test, &network));
    network.round_as_stored();
    if release.quantization.is_some() {
        network.quantize()?;
    }
    let output = exam.output(Part::Test, &network);
    let stored = exam.judge(Part::Test, &output);

    let least_divergence = recipe.outliers.map(|it| {
        let validation = exam.output(Part::Validation, &network);
        it.least_divergence(&validation)
    });

    let model = export(&network)?.to_bytes();
    let mut loaded = release.runtime.model(&model)?;
    let (difference, bound) = exam.verify(&network, &output, &mut loaded)?;

    exam.draw(&Drawing {
        run,
        name: &architecture.name.to_uppercase(),
        epochs: &epochs,
        best_epoch,
        output: &output,
    })?;
    let (comparison, compared) = exam.compare_precision(&trained, &stored);
    let (task, dataset) = (architecture.task, architecture.dataset);
    let (signature, serving) = (task.signature(dataset), task.serving(dataset, release.data));
    let output = [signature.output.clone()];
    let golden = bundle::GoldenSamples {
        inputs: names(&signature.inputs, &serving.golden)?,
        outputs: names(&output, &[network.output(&serving.golden)])?,
    };
    let mut metrics: BTreeMap<_, _> = stored.metrics.into_iter().chain(compared).collect();
    metrics.insert("best_epoch".to_owned(), f64::from(best_epoch));
    metrics.extend(temperature.map(|it| ("temperature".to_owned(), it)));
    metrics.insert("onnxruntime_difference".to_owned(), f64::from(difference));
    let best = epochs.iter().filter(|it| it.epoch == best_epoch);
    let figures = best
        .flat_map(|it| &it.figures)
        .filter(|(name, _)| name.starts_with("validation_"));
    metrics.extend(figures.filter_map(|(name, it)| Some((name.clone(), it.as_f64()?))));
    let samples = serving.golden.first().map_or(0, |it| it.size()[0] as usize);
    let manifest = bundle::Manifest {
        format_version: bundle::FORMAT_VERSION,
        name: architecture.name.to_owned(),
        version: release.version,
        task: task.name().to_owned(),
        architecture: architecture.name.to_owned(),
        parameters: network.parameters(),
        created_by: CREATED_BY.to_owned(),
        labels: serving.labels,
        problem_type: bundle::ProblemType::default(),
        least_divergence,
        preprocessing: serving.preprocessing,
        quantization: network.quantization(),
        max_batch_size: recipe.max_batch_size,
        inputs: signature.inputs,
        outputs: vec![signature.output],
        provenance: bundle::Provenance::Trained(training(release.fit, release.data, &epochs)?),
        metrics,
        golden: bundle::Golden {
            samples,
            tolerance: network
                .quantization()
                .map_or(serving.tolerance, |_| INT8_TOLERANCE),
            self_made: false,
        },
        files: BTreeMap::new(),
    };
    let contents = bundle::BundleContents {
        manifest,
        model,
        golden,
        extra: release.data.files.clone(),
    };
    Ok(Released {
        bundle: bundle::write_bundle(release.models_dir, contents)?,
        best_epoch,
        report: format!(
            "{}\n{comparison}\nonnxruntime and libtorch differ by {bound} {difference:.1e}",
            stored.report,
        ),
    })
}

// What a manifest says of how the network was trained.
fn training(
    fit: &Fit<'_>,
    data: &Loaded,
    epochs: &[EpochMetrics],
) -> Result<bundle::Training, Error> {
    let (recipe, last) = (fit.recipe, epochs.last());
    let name = fit.architecture.dataset.name();
    Ok(bundle::Training {
        data: match &data.further {
            Some((further, _)) => format!("{name} and {further}"),
            None => name.to_owned(),
        },
        train_samples: fit.train.len() as u64,
        epochs: last.map_or(0, |it| it.epoch),
        batch_size: recipe.batch_size as u32,
        seed: recipe.seed,
        recipe: recipe.to_toml(),
        device: last.map_or_else(String::new, |it| it.device.clone()),
        threads: last.and_then(|it| it.threads),
        duration_seconds: epochs.iter().map(|it| it.seconds).sum(),
        init: fit.start.map(|it| it.encoder.origin()).transpose()?,
    })
}

/// Tensors of a graph by their names.
pub(crate) fn names(
    specs: &[bundle::TensorSpec],
    tensors: &[Tensor],
) -> Result<BTreeMap<String, bundle::Tensor>, Error> {
    let name = |(spec, it): (&bundle::TensorSpec, _)| Ok((spec.name.clone(), tensor(it)?));
    specs.iter().zip(tensors).map(name).collect()
}

fn tensor(tensor: &Tensor) -> Result<bundle::Tensor, Error> {
    let shape: Vec<usize> = tensor.size().iter().map(|&it| it as usize).collect();
    let flat = tensor.flatten(0, -1);
    Ok(match tensor.kind() {
        Kind::Uint8 => bundle::Tensor::new(shape, Vec::<u8>::try_from(flat)?)?,
        Kind::Int => bundle::Tensor::new(shape, Vec::<i32>::try_from(flat)?)?,
        Kind::Int64 => bundle::Tensor::new(shape, Vec::<i64>::try_from(flat)?)?,
        _ => bundle::Tensor::new(shape, Vec::<f32>::try_from(flat)?)?,
    })
}
