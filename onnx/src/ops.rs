//! One function for each operator.
//!
//! A function checks its inputs' types and shapes when it is called, so an error points at the
//! caller's line, and returns the result with its inferred type and shape. Names are those of
//! ONNX's [operator list](https://onnx.ai/onnx/operators/), opset 17. A case that ONNX knows and
//! these functions do not is an error, or cannot be asked for.

mod activation;
mod choice;
mod conv;
mod extent;
mod gelu;
mod layout;
mod math;
mod nn;
mod pool;
mod quantization;
mod recurrent;
mod reduce;
mod spatial;

pub use self::activation::{abs, clip, leaky_relu, relu, round, sigmoid, softmax, tanh};
pub use self::choice::{less, where_};
pub use self::conv::{ConvAttributes, ConvTransposeAttributes, conv, conv_transpose};
pub use self::extent::{concat, pad, range, shape, slice};
pub use self::gelu::{erf, gelu, gelu_tanh, silu};
pub use self::layout::{cast, flatten, gather, reshape, squeeze, transpose, unsqueeze};
pub use self::math::{GemmAttributes, add, div, gemm, matmul, mul, sub};
pub use self::nn::{BatchNormalizationInputs, batch_normalization, layer_normalization};
pub use self::pool::{MaxPoolAttributes, global_average_pool, max_pool};
pub use self::quantization::{dequantize_linear, matmul_integer};
pub use self::recurrent::{LstmOutputs, RecurrentInputs, RnnOutputs, lstm, rnn};
pub use self::reduce::{reduce_max, reduce_mean};

use crate::data_type::DataType;

/// What the operators compute in.
const FLOAT: &[DataType] = &[DataType::Float32];
