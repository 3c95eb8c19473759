//! Every operator, run in ONNX Runtime and compared with numbers worked out by other means.

mod harness;
mod math;
