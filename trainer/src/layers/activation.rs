//! Functions of single values between layers.

use quintet_onnx::ops;
use tch::Tensor;

use super::Operator;

/// `max(x, 0)`.
pub const RELU: Operator = Operator(Tensor::relu, ops::relu);

/// `x` where it is positive, `0.3 x` elsewhere: the slope is Keras' default.
// tch cannot pass a slope to libtorch's leaky_relu. This gives the same, and on a CPU it is twice
// as fast as prelu.
pub const LEAKY_RELU: Operator = Operator(
    |x| x.relu().lerp(x, 0.3),
    |graph, x| ops::leaky_relu(graph, x, 0.3),
);

/// The activations of Transformers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x` times the normal distribution's chance of less than `x`, by the error function.
    Gelu,
    /// The approximation of [`Activation::Gelu`] by a hyperbolic tangent.
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
    /// `x · sigmoid(x)`.
    Silu,
    /// The hyperbolic tangent.
    Tanh,
}

impl Activation {
    /// The layer.
    pub const fn layer(self) -> Operator {
        match self {
            Self::Gelu => Operator(|x| x.gelu("none"), ops::gelu),
            Self::GeluTanh => Operator(|x| x.gelu("tanh"), ops::gelu_tanh),
            Self::Relu => RELU,
            Self::Silu => Operator(Tensor::silu, ops::silu),
            Self::Tanh => Operator(Tensor::tanh, ops::tanh),
        }
    }
}
