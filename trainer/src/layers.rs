//! Layers: each computes itself with libtorch and writes itself as ONNX, side by side.
//!
//! A layer's weights are named by its path (`fc1.weight`), in checkpoints and in the graph alike.

mod convolution;
mod pixels;
mod recurrent;

use quintet_onnx::ops::{self, GemmAttributes};
use quintet_onnx::{GraphError, Value};
use tch::Tensor;
use tch::nn::{self, Init};

pub use convolution::{BatchNorm, Conv2d, ConvTranspose2d, MaxPool};
pub use pixels::{PixelScale, SignedPixels};
pub use recurrent::{Cell, EMBEDDING, Embedding, Recurrent, onnx_gates};

use crate::graph::Exporter;

/// A dense layer: `x · weightᵀ + bias`.
#[derive(Debug)]
pub struct Linear {
    name: String,
    weight: Tensor,
    bias: Option<Tensor>,
}

/// Sets a fraction of the values to zero in training, and does nothing otherwise.
#[derive(Debug)]
pub struct Dropout {
    probability: f64,
}

/// `max(x, 0)`.
#[derive(Debug)]
pub struct Relu;

/// `x` where it is positive, `0.3 x` elsewhere: the slope is Keras' default.
#[derive(Debug)]
pub struct LeakyRelu;

/// `[N, ...]` → `[N, product of the rest]`.
#[derive(Debug)]
pub struct Flatten;

// Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural
// networks", equation 16. It is Keras' default, so the original programs started from it.
fn glorot_uniform(fan_in: i64, fan_out: i64) -> Init {
    let bound = (6.0 / (fan_in + fan_out) as f64).sqrt();
    Init::Uniform {
        lo: -bound,
        up: bound,
    }
}

// === impl Linear ===

impl Linear {
    /// Glorot-uniform weights `[outputs, inputs]` and a zero bias `[outputs]` under `vs / name`.
    pub fn new(vs: &nn::Path<'_>, name: &str, inputs: i64, outputs: i64) -> Self {
        let mut layer = Self::without_bias(vs, name, inputs, outputs);
        layer.bias = Some((vs / name).zeros("bias", &[outputs]));
        layer
    }

    /// As [`Linear::new`], but `x · weightᵀ` alone.
    pub fn without_bias(vs: &nn::Path<'_>, name: &str, inputs: i64, outputs: i64) -> Self {
        let init = glorot_uniform(inputs, outputs);
        Self {
            name: name.to_owned(),
            weight: (vs / name).var("weight", &[outputs, inputs], init),
            bias: None,
        }
    }

    /// `[N, inputs]` → `[N, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, self.bias.as_ref())
    }

    /// One `Gemm`.
    pub fn export(&self, to: &mut Exporter, x: &Value) -> Result<Value, GraphError> {
        let weight = to.weight(&self.name, "weight", &self.weight)?;
        let bias = self.bias.as_ref();
        let bias = bias
            .map(|it| to.weight(&self.name, "bias", it))
            .transpose()?;
        let attributes = GemmAttributes {
            trans_b: true,
            ..GemmAttributes::default()
        };
        ops::gemm(to.graph(), x, &weight, bias.as_ref(), attributes)
    }
}

// === impl Dropout ===

impl Dropout {
    /// `probability` is the chance of a value to be dropped; the others grow to make up for it.
    pub const fn new(probability: f64) -> Self {
        Self { probability }
    }

    /// The same shape as `x`. Only training drops values, so the graph does not have this layer.
    pub fn forward_t(&self, x: &Tensor, train: bool) -> Tensor {
        x.dropout(self.probability, train)
    }
}

// === impl Relu ===

impl Relu {
    /// The same shape as `x`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.relu()
    }

    /// One `Relu`.
    pub fn export(&self, to: &mut Exporter, x: &Value) -> Result<Value, GraphError> {
        ops::relu(to.graph(), x)
    }
}

// === impl LeakyRelu ===

impl LeakyRelu {
    const SLOPE: f64 = 0.3;

    /// The same shape as `x`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        // tch cannot pass a slope to libtorch's leaky_relu. This gives the same, and on a CPU it is
        // twice as fast as prelu.
        x.relu().lerp(x, Self::SLOPE)
    }

    /// One `LeakyRelu`.
    pub fn export(&self, to: &mut Exporter, x: &Value) -> Result<Value, GraphError> {
        ops::leaky_relu(to.graph(), x, Self::SLOPE as f32)
    }
}

// === impl Flatten ===

impl Flatten {
    /// `[N, ...]` → `[N, product of the rest]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.flatten(1, -1)
    }

    /// One `Flatten`.
    pub fn export(&self, to: &mut Exporter, x: &Value) -> Result<Value, GraphError> {
        ops::flatten(to.graph(), x, 1)
    }
}
