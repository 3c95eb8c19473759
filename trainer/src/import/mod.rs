//! Imports models that were trained elsewhere: `quintet-trainer import`.
//!
//! Every import is proved before anything is written: the graph of the bundle must compute in ONNX
//! Runtime what the model's own format says.

mod added;
mod candidate;
pub mod huggingface;
pub mod onnx;
mod proof;
mod samples;
pub(crate) mod target;
mod texts;
pub mod torchvision;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use quintet_bundle::{BundleContents, write_bundle};

pub use self::target::{Origin, Target};
use crate::error::Error;
use crate::stop;
use crate::verify::Runtime;

/// Larger than the file of any tokeniser of a million tokens.
const MAX_TOKENIZER_BYTES: u64 = 128 << 20;

/// Flags of `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// The format of the model.
    #[command(subcommand)]
    pub format: Format,
}

/// The formats that can be imported.
#[derive(Debug, Subcommand)]
pub enum Format {
    /// A text classifier of Hugging Face's transformers: config.json, model.safetensors and
    /// tokenizer.json.
    Huggingface(huggingface::Flags),
    /// An ONNX file, with a manifest that says what its inputs and outputs mean.
    Onnx(onnx::Flags),
    /// A residual network of torchvision or timm for photographs: a safetensors file.
    Torchvision(torchvision::Flags),
}

/// Imports a model and says on `out` what was written.
pub fn import(args: &Import, runtime: &Runtime, out: &mut dyn Write) -> Result<(), Error> {
    match &args.format {
        Format::Huggingface(flags) => huggingface::import(flags, runtime, out),
        Format::Onnx(flags) => onnx::import(flags, runtime, out),
        Format::Torchvision(flags) => torchvision::import(flags, runtime, out),
    }
}

/// Writes a bundle. A signal to stop lets it be finished first.
fn write(models_dir: &Path, contents: BundleContents) -> Result<PathBuf, Error> {
    stop::on_signals()?;
    Ok(write_bundle(models_dir, contents)?)
}
