//! `import onnx`: a graph of another program, carried through unchanged between steps that make it
//! fit a bundle.

mod adapt;
mod describe;
mod longest;
mod manifest;
mod normalisation;
mod original;
mod serving;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use quintet_bundle::{FORMAT_VERSION, Manifest};
use quintet_onnx::ForeignModel;

use self::manifest::ImportManifest;
use super::candidate::{Candidate, not_yet};
use super::target::{Origin, in_file, name, read};
use crate::error::Error;
use crate::progress;
use crate::release::CREATED_BY;
use crate::verify::Runtime;

/// The largest file in bytes: a protobuf message has no more.
const MAX_BYTES: u64 = (1 << 31) - 1;

/// Flags of `import onnx`.
#[derive(Debug, Args)]
pub struct Flags {
    /// The ONNX file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print a draft of the manifest, and import nothing.
    #[arg(long)]
    pub describe: bool,
    /// What the file's inputs and outputs mean; `--describe` drafts one.
    #[arg(long, value_name = "TOML", required_unless_present = "describe")]
    pub manifest: Option<PathBuf>,
    /// Name of the model, as callers will know it: a-z, 0-9, `_` and `-`.
    #[arg(long, value_name = "NAME", required_unless_present = "describe", value_parser = name)]
    pub name: Option<String>,
    /// Where the bundle goes: DIR/NAME/VERSION.
    #[arg(long, value_name = "DIR", default_value = "models")]
    pub models_dir: PathBuf,
    /// Version of the bundle; one that exists is replaced.
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub model_version: u32,
    /// Folder with 1 to 32 samples of the model's data, pictures or text files, that become the
    /// bundle's golden samples [default: random ones].
    #[arg(long, value_name = "DIR")]
    pub samples: Option<PathBuf>,
}

/// Imports an ONNX file, or describes it, and says on `out` what came of it.
pub(super) fn import(flags: &Flags, runtime: &Runtime, out: &mut dyn Write) -> Result<(), Error> {
    progress::line(&format!("reading {}", flags.file.display()));
    let bytes = read(&flags.file, MAX_BYTES)?;
    let model = ForeignModel::read(&bytes).map_err(Error::file(&flags.file))?;
    let in_file = in_file(&flags.file);
    let mut file = runtime.model(&bytes).map_err(&in_file)?;
    let (Some(path), Some(name), false) = (&flags.manifest, &flags.name, flags.describe) else {
        out.write_all(describe::draft(&model, &mut file).as_bytes())?;
        return Ok(());
    };
    let said = ImportManifest::read(path)?;
    let tokenizer = said.tokenizer(path)?;
    let origin = Origin {
        source: said.source.clone(),
        revision: said.revision.clone(),
        licence: said.licence.clone().unwrap_or_else(|| "unknown".to_owned()),
    };
    let parameters = model.constant_elements();
    let adapted = adapt::adapt(model, &said, (&file.inputs(), &file.outputs()))?;
    let manifest = Manifest {
        format_version: FORMAT_VERSION,
        name: name.clone(),
        version: flags.model_version,
        task: said.task,
        architecture: said.architecture.unwrap_or_else(|| name.clone()),
        parameters,
        created_by: CREATED_BY.to_owned(),
        labels: said.labels,
        problem_type: said.problem_type,
        least_divergence: None,
        preprocessing: said.preprocessing,
        quantization: None,
        max_batch_size: adapted.max_batch_size,
        inputs: adapted.inputs.clone(),
        outputs: adapted.outputs.clone(),
        provenance: origin.provenance(&flags.file, &bytes),
        metrics: BTreeMap::new(),
        golden: not_yet(),
        files: BTreeMap::new(),
    };
    manifest
        .validate()
        .and_then(|()| serving::check(&manifest))
        .map_err(Error::file(path))?;
    let candidate = Candidate {
        manifest,
        graph: adapted.model.to_bytes(),
        tokenizer,
        samples: flags.samples.as_deref(),
        models_dir: &flags.models_dir,
    };
    let original = |rows: &_| original::run(&mut file, &adapted, rows);
    candidate
        .prove_and_write(original, runtime, out)
        .map_err(in_file)
}
