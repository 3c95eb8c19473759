//! Every operator, run in ONNX Runtime and compared with numbers worked out by other means: by hand, or
//! by a plain loop that follows the operator's equation.
#![expect(clippy::unwrap_used, reason = "the harness is part of the tests")]
#![expect(clippy::many_single_char_names, reason = "the equations' own names")]

mod activation;
mod chains;
mod choice;
mod conv;
mod extent;
mod gelu;
mod harness;
mod int8;
mod layout;
mod math;
mod model;
mod nn;
mod quantization;
mod recurrent;
mod reduce;
mod weights;
