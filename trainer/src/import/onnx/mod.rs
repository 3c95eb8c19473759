//! `import onnx`: a graph of another program, carried through unchanged.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::Target;
use crate::error::Error;
use crate::verify::Runtime;

/// Flags of `import onnx`.
#[derive(Debug, Args)]
pub struct Flags {
    /// The ONNX file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What the file's inputs and outputs mean; `--describe` drafts one.
    #[arg(long, value_name = "TOML")]
    pub manifest: PathBuf,
    /// Where the bundle goes.
    #[command(flatten)]
    pub target: Target,
}

/// Imports an ONNX file.
pub fn import(_: &Flags, _: &Runtime, _: &mut dyn Write) -> Result<(), Error> {
    Err(Error::Usage("not yet".to_owned()))
}
