//! The model bundle on disk, and the pre-processing that training and serving share.
//!
//! A bundle is everything that is needed to serve one version of one model:
//!
//! ```text
//! models/
//! └── mlp/                      the model's name
//!     └── 1/                    its version
//!         ├── manifest.toml     what the model is, how it was trained, checksums of the rest
//!         ├── model.onnx        the graph, numeric pre-processing included
//!         ├── golden.safetensors  sample inputs, and the outputs the trainer saw for them
//!         └── tokenizer.json    for text models
//! ```
//!
//! The trainer writes one with [`write_bundle`]; the server finds them with [`discover()`] and reads
//! each with [`Bundle::open`], which believes nothing that the checksums do not confirm.

mod digest;
mod discover;
mod error;
mod golden;
pub mod image;
mod manifest;
pub mod noise;
mod preprocessing;
mod quantization;
mod reader;
mod role;
mod signature;
pub mod task;
mod tensor;
pub mod text;
mod writer;

pub use digest::sha256_hex;
pub use discover::{BundlePath, discover, discover_readable};
pub use error::{BundleError, ManifestError};
pub use golden::{GoldenMismatch, GoldenSamples};
pub use manifest::{
    FileDigest, Golden, Import, Manifest, NoProbabilities, ProblemType, Provenance, Training,
    divergence_from_uniform, is_known,
};
pub use preprocessing::{Preprocessing, PreprocessingKind};
pub use quantization::{Products, Quantization, Saturation, SaturationError};
pub use reader::Bundle;
pub use role::Role;
pub use signature::{Dim, TensorSpec};
pub use tensor::{DataType, Element, Tensor, TensorError};
pub use writer::{BundleContents, write_bundle};

/// The manifest format that this version writes; it reads version 1, too.
pub const FORMAT_VERSION: u32 = 2;
/// File name of the manifest.
pub const MANIFEST_FILE: &str = "manifest.toml";
/// File name of the ONNX graph.
pub const MODEL_FILE: &str = "model.onnx";
/// File name of the golden samples.
pub const GOLDEN_FILE: &str = "golden.safetensors";
