//! Imports models that were trained elsewhere: `quintet-trainer import`.
//!
//! Every import is proved before anything is written: the graph of the bundle must compute in ONNX
//! Runtime what the model's own format says.

pub mod huggingface;
pub mod onnx;
pub(crate) mod target;

use std::io::Write;

use clap::{Args, Subcommand};

pub use self::target::{Origin, Target};
use crate::error::Error;
use crate::verify::Runtime;

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
}

/// Imports a model and says on `out` what was written.
pub fn import(args: &Import, runtime: &Runtime, out: &mut dyn Write) -> Result<(), Error> {
    match &args.format {
        Format::Huggingface(flags) => huggingface::import(flags, runtime, out),
        Format::Onnx(flags) => onnx::import(flags, runtime, out),
    }
}
