//! ONNX's protobuf messages, as far as this crate writes or carries them.
//!
//! Generated from `proto/onnx.proto3`; `tests/bootstrap.rs` keeps the two together.
//! Pulled in with `include!`, so that rustfmt leaves the generated text alone.
#![expect(
    clippy::pedantic,
    reason = "generated code is written by prost, not by us"
)]

include!("gen/onnx.rs");
