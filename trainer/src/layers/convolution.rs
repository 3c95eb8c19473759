//! The layers that only the GAN has. Sizes, initial weights and constants are Keras' defaults, so that the original
//! program's network is trained.

use quintet_onnx::ops::{self, BatchNormalizationInputs, ConvTransposeAttributes};
use quintet_onnx::{DataType, GraphError, Value};
use tch::nn::{self, Init};
use tch::{Kind, Tensor};

use super::glorot_uniform;
use crate::export::Exporter;

const KERNEL: i64 = 5;
// Half a kernel around the image: with it the result has the input's size times or through the stride.
const PADDING: i64 = KERNEL / 2;
const SLOPE: f64 = 0.3;
const EPSILON: f64 = 1e-3;
// The part of a batch's mean and variance that the running ones take over.
const MOMENTUM: f64 = 0.01;

/// A dense layer without bias: `x · weightᵀ`.
#[derive(Debug)]
pub struct Projection {
    name: String,
    weight: Tensor,
}

/// A 5×5 transposed convolution without bias: `same` padding, so the stride is the growth.
#[derive(Debug)]
pub struct ConvTranspose2d {
    name: String,
    weight: Tensor,
    stride: i64,
}

/// A 5×5 convolution with stride 2 and `same` padding: half the size. Only the discriminator has it, which is never exported.
#[derive(Debug)]
pub struct DownConv2d {
    weight: Tensor,
    bias: Tensor,
}

/// Batch normalisation (Ioffe & Szegedy 2015) over the second axis.
#[derive(Debug)]
pub struct BatchNorm {
    name: String,
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
}

/// `x` where it is positive, `0.3 x` elsewhere.
#[derive(Debug)]
pub struct LeakyRelu;

/// Between pixel values 0..=255 and the generator's −1..=1. The graph owns this step, so serving cannot get it wrong.
#[derive(Debug)]
pub struct SignedPixels;

// === impl Projection ===

impl Projection {
    /// Glorot-uniform weights `[outputs, inputs]` under `vs / name`.
    pub fn new(vs: &nn::Path<'_>, name: &str, inputs: i64, outputs: i64) -> Self {
        let init = glorot_uniform(inputs, outputs);
        Self {
            name: name.to_owned(),
            weight: (vs / name).var("weight", &[outputs, inputs], init),
        }
    }

    /// `[N, inputs]` → `[N, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, None::<&Tensor>)
    }

    /// One `Gemm`.
    pub fn export(&self, to: &mut Exporter, x: &Value) -> Result<Value, GraphError> {
        let weight = to.weight(&format!("{}.weight", self.name), &self.weight)?;
        let attributes = ops::GemmAttributes {
            trans_b: true,
            ..ops::GemmAttributes::default()
        };
        ops::gemm(to.graph(), x, &weight, None, attributes)
    }
}

// === impl ConvTranspose2d ===

impl ConvTranspose2d {
    /// Glorot-uniform kernels `[inputs, outputs, 5, 5]` under `vs / name`.
    pub fn new(vs: &nn::Path<'_>, name: &str, inputs: i64, outputs: i64, stride: i64) -> Self {
        let area = KERNEL * KERNEL;
        let init = glorot_uniform(inputs * area, outputs * area);
        let shape = [inputs, outputs, KERNEL, KERNEL];
        Self {
            name: name.to_owned(),
            weight: (vs / name).var("weight", &shape, init),
            stride,
        }
    }

    /// `[N, inputs, H, W]` → `[N, outputs, stride · H, stride · W]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.conv_transpose2d(
            &self.weight,
            None::<&Tensor>,
            [self.stride; 2],
            [PADDING; 2],
            [self.stride - 1; 2],
            1,
            [1; 2],
        )
    }

    /// One `ConvTranspose`.
    pub fn export(&self, to: &mut Exporter, x: &Value) -> Result<Value, GraphError> {
        let weight = to.weight(&format!("{}.weight", self.name), &self.weight)?;
        let stride = self.stride as usize;
        let attributes = ConvTransposeAttributes {
            strides: [stride; 2],
            pads: [PADDING as usize; 4],
            output_padding: [stride - 1; 2],
        };
        ops::conv_transpose(to.graph(), x, &weight, None, attributes)
    }
}

// === impl DownConv2d ===

impl DownConv2d {
    /// Glorot-uniform kernels `[outputs, inputs, 5, 5]` and a zero bias `[outputs]` under `vs / name`.
    pub fn new(vs: &nn::Path<'_>, name: &str, inputs: i64, outputs: i64) -> Self {
        let path = vs / name;
        let area = KERNEL * KERNEL;
        let init = glorot_uniform(inputs * area, outputs * area);
        Self {
            weight: path.var("weight", &[outputs, inputs, KERNEL, KERNEL], init),
            bias: path.zeros("bias", &[outputs]),
        }
    }

    /// `[N, inputs, H, W]` → `[N, outputs, ⌈H / 2⌉, ⌈W / 2⌉]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let bias = Some(&self.bias);
        x.conv2d(&self.weight, bias, [2; 2], [PADDING; 2], [1; 2], 1)
    }
}

// === impl BatchNorm ===

impl BatchNorm {
    /// Scale 1, shift 0, running mean 0 and variance 1, each `[channels]`, under `vs / name`.
    pub fn new(vs: &nn::Path<'_>, name: &str, channels: i64) -> Self {
        let path = vs / name;
        Self {
            name: name.to_owned(),
            weight: path.var("weight", &[channels], Init::Const(1.0)),
            bias: path.zeros("bias", &[channels]),
            mean: path.zeros_no_train("running_mean", &[channels]),
            variance: path.ones_no_train("running_var", &[channels]),
        }
    }

    /// `[N, channels, …]` → the same shape. Training takes mean and variance from the batch and moves the running ones;
    /// otherwise the running ones are taken.
    pub fn forward_t(&self, x: &Tensor, train: bool) -> Tensor {
        x.batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            Some(&self.mean),
            Some(&self.variance),
            train,
            MOMENTUM,
            EPSILON,
            true,
        )
    }

    /// One `BatchNormalization`.
    pub fn export(&self, to: &mut Exporter, x: &Value) -> Result<Value, GraphError> {
        let mut part = |name: &str, value| to.weight(&format!("{}.{name}", self.name), value);
        let scale = part("weight", &self.weight)?;
        let shift = part("bias", &self.bias)?;
        let mean = part("running_mean", &self.mean)?;
        let variance = part("running_var", &self.variance)?;
        let inputs = BatchNormalizationInputs {
            x,
            scale: &scale,
            b: &shift,
            input_mean: &mean,
            input_var: &variance,
        };
        ops::batch_normalization(to.graph(), &inputs, EPSILON as f32)
    }
}

// === impl LeakyRelu ===

impl LeakyRelu {
    /// The same shape as `x`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        // tch cannot tell libtorch's leaky_relu its slope. Between max(x, 0) and x it is the same, and on a CPU twice as
        // fast as prelu.
        x.relu().lerp(x, SLOPE)
    }

    /// One `LeakyRelu`.
    pub fn export(&self, to: &mut Exporter, x: &Value) -> Result<Value, GraphError> {
        ops::leaky_relu(to.graph(), x, SLOPE as f32)
    }
}

// === impl SignedPixels ===

impl SignedPixels {
    /// Grey levels on either side of the middle.
    pub const HALF_RANGE: f64 = 127.5;

    /// Pixels of any numeric kind → float32 in −1..=1, of the same shape.
    pub fn from_pixels(&self, pixels: &Tensor) -> Tensor {
        pixels.to_kind(Kind::Float) / Self::HALF_RANGE - 1.0
    }

    /// float32 in −1..=1 → grey levels uint8 of the same shape, each the nearest one.
    pub fn to_pixels(&self, images: &Tensor) -> Tensor {
        self.levels(images).round().to_kind(Kind::Uint8)
    }

    /// float32 in −1..=1 → grey levels 0..=255 before they are rounded.
    pub fn levels(&self, images: &Tensor) -> Tensor {
        (images + 1.0) * Self::HALF_RANGE
    }

    /// float32 in −1..=1 → uint8 of the same shape, as [`Self::to_pixels`].
    pub fn export(&self, to: &mut Exporter, images: &Value) -> Result<Value, GraphError> {
        let one = to.graph().initializer_f32("one", &[], &[1.0])?;
        let half = to
            .graph()
            .initializer_f32("half_range", &[], &[Self::HALF_RANGE as f32])?;
        let x = ops::add(to.graph(), images, &one)?;
        let x = ops::mul(to.graph(), &x, &half)?;
        let x = ops::round(to.graph(), &x)?;
        ops::cast(to.graph(), &x, DataType::Uint8)
    }
}
