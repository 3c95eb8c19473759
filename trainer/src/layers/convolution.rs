//! Convolutions and what stands between them. Initial weights and constants are Keras' defaults, so
//! that the original programs' networks are trained.

use quintet_onnx::ops::{self, BatchNormalizationInputs, ConvAttributes, ConvTransposeAttributes};
use quintet_onnx::{GraphBuilder, GraphError, Value};
use tch::Tensor;
use tch::nn::{self, Init};

use super::{Layer, glorot_uniform};
use crate::export::add_weight;
use crate::precision::lower;

const EPSILON: f64 = 1e-3;
// The part of a batch's mean and variance that the running ones take over.
const MOMENTUM: f64 = 0.01;

/// A square 2-D convolution: `[N, inputs, H, W]` → `[N, outputs, (H + 2 · padding - kernel) /
/// stride + 1, …]`.
#[derive(Debug)]
pub struct Conv2d {
    name: String,
    weight: Tensor,
    bias: Tensor,
    stride: i64,
    padding: i64,
}

/// A square transposed convolution without bias and with `same` padding: `[N, inputs, H, W]` →
/// `[N, outputs, stride · H, stride · W]`.
#[derive(Debug)]
pub struct ConvTranspose2d {
    name: String,
    weight: Tensor,
    stride: i64,
}

/// Batch normalisation (Ioffe & Szegedy 2015) over the second axis. Training takes mean and
/// variance from the batch and updates the running ones, which are taken otherwise.
#[derive(Debug)]
pub struct BatchNorm {
    name: String,
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
}

impl Conv2d {
    /// Glorot-uniform kernels `[outputs, inputs, kernel, kernel]` and a zero bias `[outputs]`, with
    /// stride 1 and no padding ("valid").
    pub fn new(vs: &nn::Path<'_>, name: &str, inputs: i64, outputs: i64, kernel: i64) -> Self {
        let path = vs / name;
        let area = kernel * kernel;
        let init = glorot_uniform(inputs * area, outputs * area);
        Self {
            name: name.to_owned(),
            weight: path.var("weight", &[outputs, inputs, kernel, kernel], init),
            bias: path.zeros("bias", &[outputs]),
            stride: 1,
            padding: 0,
        }
    }

    /// The same with another stride and with `padding` zeros on each side.
    #[must_use]
    pub fn strided(self, stride: i64, padding: i64) -> Self {
        Self {
            stride,
            padding,
            ..self
        }
    }
}

impl Layer for Conv2d {
    fn forward_t(&self, x: &Tensor, _: bool) -> Tensor {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        let (weight, bias) = (lower(&self.weight), lower(&self.bias));
        lower(x).conv2d(&weight, Some(&bias), stride, padding, [1; 2], 1)
    }

    fn export(&self, graph: &mut GraphBuilder, x: &Value) -> Result<Value, GraphError> {
        let weight = add_weight(graph, &self.name, "weight", &self.weight)?;
        let bias = add_weight(graph, &self.name, "bias", &self.bias)?;
        let attributes = ConvAttributes {
            strides: [self.stride as usize; 2],
            pads: [self.padding as usize; 4],
            ..ConvAttributes::default()
        };
        ops::conv(graph, x, &weight, Some(&bias), attributes)
    }
}

impl ConvTranspose2d {
    const KERNEL: i64 = 5;
    const PADDING: i64 = Self::KERNEL / 2;

    /// Glorot-uniform kernels `[inputs, outputs, 5, 5]` under `vs / name`.
    pub fn new(vs: &nn::Path<'_>, name: &str, inputs: i64, outputs: i64, stride: i64) -> Self {
        let area = Self::KERNEL * Self::KERNEL;
        let init = glorot_uniform(inputs * area, outputs * area);
        let shape = [inputs, outputs, Self::KERNEL, Self::KERNEL];
        Self {
            name: name.to_owned(),
            weight: (vs / name).var("weight", &shape, init),
            stride,
        }
    }
}

impl Layer for ConvTranspose2d {
    fn forward_t(&self, x: &Tensor, _: bool) -> Tensor {
        let bias = None::<&Tensor>;
        let (stride, padding) = ([self.stride; 2], [Self::PADDING; 2]);
        let output_padding = [self.stride - 1; 2];
        lower(x).conv_transpose2d(
            &lower(&self.weight),
            bias,
            stride,
            padding,
            output_padding,
            1,
            [1; 2],
        )
    }

    fn export(&self, graph: &mut GraphBuilder, x: &Value) -> Result<Value, GraphError> {
        let weight = add_weight(graph, &self.name, "weight", &self.weight)?;
        let stride = self.stride as usize;
        let attributes = ConvTransposeAttributes {
            strides: [stride; 2],
            pads: [Self::PADDING as usize; 4],
            output_padding: [stride - 1; 2],
        };
        ops::conv_transpose(graph, x, &weight, None, attributes)
    }
}

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
}

impl Layer for BatchNorm {
    fn forward_t(&self, x: &Tensor, train: bool) -> Tensor {
        let (weight, bias) = (Some(&self.weight), Some(&self.bias));
        let (mean, variance) = (Some(&self.mean), Some(&self.variance));
        x.batch_norm(weight, bias, mean, variance, train, MOMENTUM, EPSILON, true)
    }

    fn export(&self, graph: &mut GraphBuilder, x: &Value) -> Result<Value, GraphError> {
        let mut part = |name: &str, value| add_weight(graph, &self.name, name, value);
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
        ops::batch_normalization(graph, &inputs, EPSILON as f32)
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::precision::Precision;

    #[test]
    fn convolutions_compute_in_the_precision_of_the_scope() {
        let store = nn::VarStore::new(Device::Cpu);
        let root = store.root();
        let layers: [Box<dyn Layer>; 2] = [
            Box::new(Conv2d::new(&root, "conv", 2, 3, 3)),
            Box::new(ConvTranspose2d::new(&root, "transposed", 2, 3, 2)),
        ];
        let x = Tensor::rand([4, 2, 6, 6], (Kind::Float, Device::Cpu));
        for layer in layers {
            let whole = layer.forward_t(&x, true);
            assert_eq!(whole.kind(), Kind::Float);
            let lower = Precision::Bfloat16.scope(|| layer.forward_t(&x, true));
            assert_eq!(lower.kind(), Kind::BFloat16);
            let difference = (whole - lower).abs().max().double_value(&[]);
            assert!(difference < 0.05, "{difference}");
        }
    }
}
