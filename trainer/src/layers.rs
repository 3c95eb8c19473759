//! Layers that know how to compute themselves and how to write themselves as ONNX, side by side.
//!
//! A layer's weights are named by its path (`fc1.weight`), in checkpoints and in the graph alike.

mod adversarial;
mod recurrent;

use quintet_onnx::ops::{self, ConvAttributes, GemmAttributes, MaxPoolAttributes};
use quintet_onnx::{DataType, GraphError, Value};
use tch::nn::{self, Init};
use tch::{Kind, Tensor};

pub use adversarial::{
    BatchNorm, ConvTranspose2d, DownConv2d, LeakyRelu, Projection, SignedPixels,
};
pub use recurrent::{Cell, EMBEDDING, Embedding, Recurrent, onnx_gates};

use crate::export::Exporter;

/// Turns pixel values 0..=255 into 0..=1. The graph owns this step, so serving cannot get it wrong.
#[derive(Debug)]
pub struct PixelScale;

/// A dense layer: `x · weightᵀ + bias`.
#[derive(Debug)]
pub struct Linear {
    name: String,
    weight: Tensor,
    bias: Tensor,
}

/// A square 2-D convolution with stride 1 and no padding ("valid").
#[derive(Debug)]
pub struct Conv2d {
    name: String,
    weight: Tensor,
    bias: Tensor,
}

/// Sets a fraction of the values to zero while training, and does nothing otherwise.
#[derive(Debug)]
pub struct Dropout {
    probability: f64,
}

/// `max(x, 0)`.
#[derive(Debug)]
pub struct Relu;

/// 2×2 max pooling with stride 2; an odd last row or column is dropped.
#[derive(Debug)]
pub struct MaxPool;

/// `[N, ...]` → `[N, product of the rest]`.
#[derive(Debug)]
pub struct Flatten;

// Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural
// networks", equation 16; it is Keras' default, so the original programs started from it.
fn glorot_uniform(fan_in: i64, fan_out: i64) -> Init {
    let bound = (6.0 / (fan_in + fan_out) as f64).sqrt();
    Init::Uniform {
        lo: -bound,
        up: bound,
    }
}

// === impl PixelScale ===

impl PixelScale {
    /// `[N, 28, 28]` of any numeric kind → float32 `[N, 28, 28]` in 0..=1.
    pub fn forward(&self, pixels: &Tensor) -> Tensor {
        pixels.to_kind(Kind::Float) / 255.0
    }

    /// uint8 `[N, 28, 28]` → float32 `[N, 28, 28]`.
    pub fn export(&self, to: &mut Exporter, pixels: &Value) -> Result<Value, GraphError> {
        let x = ops::cast(to.graph(), pixels, DataType::Float32)?;
        let white = to.graph().initializer_f32("white", &[], &[255.0])?;
        ops::div(to.graph(), &x, &white)
    }
}

// === impl Linear ===

impl Linear {
    /// Glorot-uniform weights `[outputs, inputs]` and a zero bias `[outputs]` under `vs / name`.
    pub fn new(vs: &nn::Path<'_>, name: &str, inputs: i64, outputs: i64) -> Self {
        let path = vs / name;
        Self {
            name: name.to_owned(),
            weight: path.var(
                "weight",
                &[outputs, inputs],
                glorot_uniform(inputs, outputs),
            ),
            bias: path.zeros("bias", &[outputs]),
        }
    }

    /// `[N, inputs]` → `[N, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }

    /// One `Gemm`.
    pub fn export(&self, to: &mut Exporter, x: &Value) -> Result<Value, GraphError> {
        let weight = to.weight(&format!("{}.weight", self.name), &self.weight)?;
        let bias = to.weight(&format!("{}.bias", self.name), &self.bias)?;
        let attributes = GemmAttributes {
            trans_b: true,
            ..GemmAttributes::default()
        };
        ops::gemm(to.graph(), x, &weight, Some(&bias), attributes)
    }
}

// === impl Conv2d ===

impl Conv2d {
    /// Glorot-uniform kernels `[outputs, inputs, kernel, kernel]` and a zero bias `[outputs]`.
    pub fn new(vs: &nn::Path<'_>, name: &str, inputs: i64, outputs: i64, kernel: i64) -> Self {
        let path = vs / name;
        let area = kernel * kernel;
        let init = glorot_uniform(inputs * area, outputs * area);
        Self {
            name: name.to_owned(),
            weight: path.var("weight", &[outputs, inputs, kernel, kernel], init),
            bias: path.zeros("bias", &[outputs]),
        }
    }

    /// `[N, inputs, H, W]` → `[N, outputs, H - kernel + 1, W - kernel + 1]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.conv2d(&self.weight, Some(&self.bias), [1, 1], [0, 0], [1, 1], 1)
    }

    /// One `Conv`.
    pub fn export(&self, to: &mut Exporter, x: &Value) -> Result<Value, GraphError> {
        let weight = to.weight(&format!("{}.weight", self.name), &self.weight)?;
        let bias = to.weight(&format!("{}.bias", self.name), &self.bias)?;
        ops::conv(
            to.graph(),
            x,
            &weight,
            Some(&bias),
            ConvAttributes::default(),
        )
    }
}

// === impl Dropout ===

impl Dropout {
    /// `probability` is the chance of a value to be dropped; the others grow to make up for it.
    pub const fn new(probability: f64) -> Self {
        Self { probability }
    }

    /// The same shape as `x`. Only training drops anything, so a graph has no trace of this layer.
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

// === impl MaxPool ===

impl MaxPool {
    /// `[N, C, H, W]` → `[N, C, H / 2, W / 2]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)
    }

    /// One `MaxPool`.
    pub fn export(&self, to: &mut Exporter, x: &Value) -> Result<Value, GraphError> {
        ops::max_pool(to.graph(), x, MaxPoolAttributes::square(2))
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
