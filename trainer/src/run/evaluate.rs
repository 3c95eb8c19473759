//! `evaluate`: how good a bundle is on the test samples.

use std::io::Write;
use std::path::Path;

use quintet_bundle::{Bundle, Manifest, Provenance};
use tch::Device;

use super::check_data_dir;
use crate::cli::{DataDir, Evaluate};
use crate::data::{self, Dataset, Samples, Source, outliers};
use crate::error::Error;
use crate::models::Architecture;
use crate::recipe::Recipe;
use crate::task::Setting;
use crate::task::exam::Part;
use crate::verify::Runtime;

/// How many generated samples are judged.
const JUDGED: usize = 10_000;

pub(super) fn evaluate(
    args: &Evaluate,
    networks: &[&'static Architecture],
    runtime: &Runtime,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let bundle = Bundle::open(&args.bundle)?;
    let manifest = bundle.manifest();
    let same = networks.iter().find(|it| it.name == manifest.architecture);
    let same_task = || {
        networks
            .iter()
            .find(|it| it.task.name() == manifest.task.as_str())
    };
    let unknown = || Error::file(&args.bundle)("no network of the trainer has its task");
    let architecture = same.or_else(same_task).ok_or_else(unknown)?;
    check_data_dir(&args.data.data_dir)?;
    let (dataset, test) = test_samples(&args.data, architecture, &bundle)?;
    let none = test.slice(0, 0);
    let models_dir = args.bundle.join("../..");
    let setting = Setting {
        train: &none,
        validation: &none,
        test: &test,
        dataset,
        device: Device::Cpu,
        judge: args.judge.as_deref(),
        // Without --judge, the CNN beside it: models/gan/1 is judged by models/cnn/1.
        models_dir: &models_dir,
        judged: JUDGED,
    };
    let exam = architecture.task.exam(&setting)?;
    let mut model = runtime.model(bundle.model())?;
    let output = exam.model_output(&mut model)?;
    let verdict = exam.judge(Part::Test, &output);
    let (name, version) = (&manifest.name, manifest.version);
    writeln!(out, "{name} version {version}, {}\n", exam.subject())?;
    writeln!(out, "{}", verdict.report)?;
    if let Some(least) = manifest.least_divergence {
        let share = 100.0 * outliers::unreadable(&output, least);
        writeln!(
            out,
            "unreadable  {share:.2} %, nearer than {least} to a uniform distribution\n"
        )?;
    }
    if let Some(deformed) = deformed(manifest, &test) {
        let test = &deformed;
        let exam = architecture.task.exam(&Setting { test, ..setting })?;
        let verdict = exam.judge(Part::Test, &exam.model_output(&mut model)?);
        let figures = verdict.report.split("\n\n").next().unwrap_or_default();
        writeln!(out, "deformed as in training\n{figures}")?;
    }
    Ok(())
}

/// The data that a bundle of `architecture` learnt from, and its test samples.
pub(super) fn test_samples(
    data: &DataDir,
    architecture: &Architecture,
    bundle: &Bundle,
) -> Result<(&'static dyn Dataset, Samples), Error> {
    let dataset = learnt_from(bundle.manifest()).unwrap_or(architecture.dataset);
    let source = Source {
        data_dir: &data.data_dir,
        cache: Path::new(""),
        device: Device::Cpu,
        tokenizer: architecture.recipe().tokenizer(),
        has_sentences: false,
        pretrained: None,
        teaching: None,
    };
    Ok((dataset, dataset.load_test(&source, bundle)?))
}

// Deformed as the recipe deforms training images.
fn deformed(manifest: &Manifest, images: &Samples) -> Option<Samples> {
    let Provenance::Trained(training) = &manifest.provenance else {
        return None;
    };
    let recipe = Recipe::parse(&training.recipe, "manifest").ok()?;
    Some(images.deformed(recipe.augmentation?, recipe.seed))
}

// What the model learnt from, if that may be other images than its network's own.
fn learnt_from(manifest: &Manifest) -> Option<&'static dyn Dataset> {
    let Provenance::Trained(training) = &manifest.provenance else {
        return None;
    };
    let all = data::IMAGES.iter().map(|(_, dataset)| *dataset);
    all.into_iter().find(|it| it.name() == training.data)
}
