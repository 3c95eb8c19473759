//! What the commands do for the GAN.

use std::io::Write;
use std::path::Path;

use quintet_bundle::{Bundle, discover};
use tch::{Device, Tensor};

use super::CommandError;
use crate::cli::Output;
use crate::data::{Loaded, Samples};
use crate::export::SIDE;
use crate::gan::quality::{SAMPLES, SEED, SURE, noise_of};
use crate::gan::{GanRelease, Judge, Quality, release};
use crate::models::Architecture;
use crate::recipe::Recipe;
use crate::run_folder::RunFolder;
use crate::verify::Runtime;

const BATCH: usize = 500;

/// The CNN that judges the GAN's digits: the one asked for, or the newest in `models_dir`.
pub(super) fn judge(
    asked: Option<&Path>,
    models_dir: &Path,
    test: &Samples,
    device: Device,
) -> Result<Judge, CommandError> {
    let bundle = if let Some(path) = asked {
        Bundle::open(path)?
    } else {
        let none = || CommandError::NoJudge(models_dir.to_owned());
        if !models_dir.is_dir() {
            return Err(none());
        }
        let mut cnns = discover(models_dir)?;
        cnns.retain(|it| it.name == Architecture::Cnn.as_str());
        let newest = cnns.into_iter().max_by_key(|it| it.version);
        Bundle::open(&newest.ok_or_else(none)?.path)?
    };
    Ok(Judge::new(&bundle, test, device)?)
}

/// Writes the bundle of a run and says what it is worth.
pub(super) fn finish(
    output: &Output,
    run: &RunFolder,
    recipe: &Recipe,
    data: &Loaded,
    judge: &Judge,
    runtime: &Runtime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let released = release(&GanRelease {
        run,
        recipe,
        data,
        judge,
        judged: output.judged as usize,
        runtime,
        models_dir: &output.models_dir,
        version: output.model_version,
    })?;
    writeln!(out, "gan: best epoch {}\n", released.best_epoch)?;
    write_quality(out, &released.stored)?;
    writeln!(
        out,
        "Fréchet distance with float32 weights {:.2}, of as many handwritten digits {:.2}",
        released.float32.frechet_distance, released.handwritten.frechet_distance,
    )?;
    writeln!(
        out,
        "onnxruntime and libtorch differ by at least {:.1e}",
        released.difference
    )?;
    writeln!(out, "pictures  {}", run.path().display())?;
    writeln!(out, "bundle    {}", released.bundle.display())?;
    Ok(())
}

/// Judges a generator's bundle through ONNX Runtime.
pub(super) fn evaluate(
    bundle: &Bundle,
    judge: &Judge,
    runtime: &Runtime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let mut loaded = runtime.model(bundle.model())?;
    let mut pixels = Vec::new();
    for first in (0..SAMPLES).step_by(BATCH) {
        pixels.extend(loaded.pixels(&noise_of(SEED, first, BATCH))?);
    }
    let side = SIDE as i64;
    let drawn = Tensor::from_slice(&pixels).reshape([SAMPLES as i64, side, side]);
    let manifest = bundle.manifest();
    let (name, version) = (&manifest.name, manifest.version);
    writeln!(
        out,
        "{name} version {version}, {SAMPLES} digits of seed {SEED}\n"
    )?;
    write_quality(out, &judge.judge(&drawn))
}

fn write_quality(out: &mut impl Write, quality: &Quality) -> Result<(), CommandError> {
    let (least, most) = quality.shares();
    writeln!(out, "Fréchet distance {:.2}", quality.frechet_distance)?;
    writeln!(
        out,
        "the CNN is at least {SURE} sure of {:.2} %",
        100.0 * quality.sure
    )?;
    let counts = quality.digits.iter().enumerate();
    let counts: Vec<String> = counts
        .map(|(digit, count)| format!("{digit}: {count}"))
        .collect();
    writeln!(out, "{}", counts.join("  "))?;
    writeln!(
        out,
        "a digit has {:.1} to {:.1} %\n",
        100.0 * least,
        100.0 * most
    )?;
    Ok(())
}
