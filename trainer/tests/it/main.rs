//! What the trainer promises as a whole, on small data made here.
//!
//! With `QUINTET_DATA_DIR` set to a folder with MNIST, one more test trains on the real digits.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

mod commands;
mod encoder;
mod extension;
mod gan;
mod import_huggingface;
mod import_onnx;
mod import_onnx_outputs;
mod import_onnx_texts;
mod import_torchvision;
mod int8;
mod learning;
mod parity;
mod pictures;
mod residual;
mod support;
mod texts;
