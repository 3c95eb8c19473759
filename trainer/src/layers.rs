//! Layers: each computes itself with libtorch and writes itself as ONNX, side by side.
//!
//! A layer's weights are named by its path (`fc1.weight`), in checkpoints and in the graph alike.

mod activation;
mod attention;
mod convolution;
mod embedding;
mod int8;
mod linear;
mod normalization;
mod pixels;
mod recurrent;
mod residual;

use std::fmt;

use quintet_onnx::ops::{self, MaxPoolAttributes};
use quintet_onnx::{GraphBuilder, GraphError, Value};
use tch::{Kind, Tensor, nn};

pub use activation::{Activation, LEAKY_RELU, RELU};
pub use attention::{Mask, SelfAttention};
pub use convolution::{BatchNorm, Conv2d, ConvTranspose2d};
pub use embedding::{EMBEDDING, Embedding};
pub use int8::Int8Rows;
pub use linear::{Linear, Rows};
pub use normalization::LayerNorm;
pub use pixels::{Normalize, PIXEL_SCALE, SignedPixels};
pub use recurrent::{Cell, Recurrent, onnx_gates};
pub use residual::{ConvNorm, Residual, zero_padding};

use linear::glorot_uniform;

/// A layer of one input and one output.
pub trait Layer: fmt::Debug {
    /// Computes the layer; `train` is whether it may change values or statistics by chance or
    /// batch.
    fn forward_t(&self, x: &Tensor, train: bool) -> Tensor;

    /// Writes what [`Layer::forward_t`] computes without `train`.
    fn export(&self, graph: &mut GraphBuilder, x: &Value) -> Result<Value, GraphError>;

    /// Makes the weights those that [`Layer::export`] writes, where they are not: a normalisation
    /// is folded into its convolution. What the layer computes without `train` stays the same.
    fn fold(&self) {}

    /// Multiplies what the layer gives by `factor`, by its weights. Gives whether it can.
    fn scale(&self, _factor: f64) -> bool {
        false
    }
}

/// Layers one after the other.
#[derive(Debug, Default)]
pub struct Sequential(Vec<Box<dyn Layer>>);

/// A layer without weights: what computes it, and what writes it.
#[derive(Clone, Copy, Debug)]
pub struct Operator(
    pub fn(&Tensor) -> Tensor,
    pub fn(&mut GraphBuilder, &Value) -> Result<Value, GraphError>,
);

/// 2×2 max pooling with stride 2: `[N, C, H, W]` → `[N, C, H / 2, W / 2]`; an odd last row or
/// column is dropped.
pub const MAX_POOL: Operator = Operator(
    |x| x.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false),
    |graph, x| ops::max_pool(graph, x, MaxPoolAttributes::square(2)),
);

/// Max pooling of 3×3 pixels with stride 2 and padding 1: `[N, C, H, W]` → `[N, C, ⌈H / 2⌉, …]`.
pub const PADDED_MAX_POOL: Operator = Operator(
    |x| x.max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false),
    |graph, x| {
        let attributes = MaxPoolAttributes {
            strides: [2; 2],
            pads: [1; 4],
            ..MaxPoolAttributes::square(3)
        };
        ops::max_pool(graph, x, attributes)
    },
);

/// The mean of each channel, in float32: `[N, C, H, W]` → `[N, C]`.
pub const GLOBAL_AVERAGE_POOL: Operator = Operator(
    |x| x.mean_dim([2_i64, 3].as_slice(), false, Kind::Float),
    |graph, x| {
        let x = ops::global_average_pool(graph, x)?;
        ops::flatten(graph, &x, 1)
    },
);

/// `[N, H, W]` → `[N, 1, H, W]`.
pub const CHANNEL: Operator = Operator(
    |x| x.unsqueeze(1),
    |graph, x| ops::unsqueeze(graph, x, &[1]),
);

/// As [`CHANNEL`], with the channels of a pixel side by side in memory (NHWC): libtorch's
/// convolutions keep that, and those of small images are a sixth faster so.
pub const CHANNEL_LAST: Operator = Operator(
    |x| x.unsqueeze(-1).permute([0, 3, 1, 2]),
    |graph, x| ops::unsqueeze(graph, x, &[1]),
);

/// `[N, ...]` → `[N, product of the rest]`.
pub const FLATTEN: Operator = Operator(|x| x.flatten(1, -1), |graph, x| ops::flatten(graph, x, 1));

/// Sets a fraction of the values to zero in training, and does nothing otherwise.
#[derive(Debug)]
pub struct Dropout {
    probability: f64,
}

/// The path of a layer whose name may have several parts: `encoder.layer.0.output`.
pub(crate) fn path<'a>(vs: &nn::Path<'a>, name: &str) -> nn::Path<'a> {
    name.split('.').fold(vs.clone(), |path, part| path / part)
}

impl Sequential {
    /// The same with `layer` at the end.
    #[must_use]
    pub fn then(mut self, layer: impl Layer + 'static) -> Self {
        self.0.push(Box::new(layer));
        self
    }
}

impl Layer for Sequential {
    fn forward_t(&self, x: &Tensor, train: bool) -> Tensor {
        let start = x.shallow_clone();
        self.0
            .iter()
            .fold(start, |x, layer| layer.forward_t(&x, train))
    }

    fn export(&self, graph: &mut GraphBuilder, x: &Value) -> Result<Value, GraphError> {
        self.0
            .iter()
            .try_fold(x.clone(), |x, layer| layer.export(graph, &x))
    }

    fn fold(&self) {
        for layer in &self.0 {
            layer.fold();
        }
    }

    fn scale(&self, factor: f64) -> bool {
        self.0.last().is_some_and(|it| it.scale(factor))
    }
}

impl Layer for Operator {
    fn forward_t(&self, x: &Tensor, _: bool) -> Tensor {
        self.0(x)
    }

    fn export(&self, graph: &mut GraphBuilder, x: &Value) -> Result<Value, GraphError> {
        self.1(graph, x)
    }
}

impl Dropout {
    /// `probability` is the chance of a value to be dropped; the others grow to make up for it.
    pub const fn new(probability: f64) -> Self {
        Self { probability }
    }
}

impl Layer for Dropout {
    fn forward_t(&self, x: &Tensor, train: bool) -> Tensor {
        x.dropout(self.probability, train)
    }

    fn export(&self, _: &mut GraphBuilder, x: &Value) -> Result<Value, GraphError> {
        Ok(x.clone())
    }
}
