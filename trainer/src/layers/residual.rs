//! What residual networks are made of (He et al. 2016, "Deep residual learning for image
//! recognition").

use quintet_onnx::ops::{self, ConvAttributes};
use quintet_onnx::{GraphBuilder, GraphError, Value};
use tch::nn::{self, Init};
use tch::{Kind, Tensor};

use super::{Layer, RELU};
use crate::export::add_weight;
use crate::precision::lower;

/// Of the variance; PyTorch's default.
const EPSILON: f64 = 1e-5;
/// The part of a batch's mean and variance that the running ones take over; PyTorch's default.
const MOMENTUM: f64 = 0.1;

/// A square convolution without bias that keeps the size of images, or divides it by its stride,
/// and a batch normalisation (Ioffe & Szegedy 2015): `[N, inputs, H, W]` →
/// `[N, outputs, ⌈H / stride⌉, ⌈W / stride⌉]`.
///
/// Training normalises by the batch. Otherwise the running statistics are folded into the
/// convolution, in float64, and the graph has no normalisation.
#[derive(Debug)]
pub struct ConvNorm {
    name: String,
    kernel: Tensor,
    stride: i64,
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
}

/// `relu(body(x) + shortcut(x))`.
#[derive(Debug)]
pub struct Residual {
    /// The layers beside the shortcut.
    pub body: Box<dyn Layer>,
    /// What brings the input to the body's shape; the input itself where there is none.
    pub shortcut: Option<Box<dyn Layer>>,
}

/// A convolution of one pixel without learnt weights.
#[derive(Debug)]
struct ZeroPadding {
    name: String,
    kernel: Tensor,
    stride: i64,
}

impl ConvNorm {
    /// Kernels `[outputs, inputs, kernel, kernel]` under `conv`, drawn as by He et al. 2015
    /// ("Delving deep into rectifiers") for the outputs; scale 1, shift 0, mean 0 and variance 1
    /// under `norm`. `kernel` is odd.
    pub fn new(
        [conv, norm]: [&nn::Path<'_>; 2],
        [inputs, outputs]: [i64; 2],
        kernel: i64,
        stride: i64,
    ) -> Self {
        let init = Init::Randn {
            mean: 0.0,
            stdev: (2.0 / (outputs * kernel * kernel) as f64).sqrt(),
        };
        Self {
            name: full_name(conv),
            kernel: conv.var("weight", &[outputs, inputs, kernel, kernel], init),
            stride,
            weight: norm.var("weight", &[outputs], Init::Const(1.0)),
            bias: norm.zeros("bias", &[outputs]),
            mean: norm.zeros_no_train("running_mean", &[outputs]),
            variance: norm.ones_no_train("running_var", &[outputs]),
        }
    }

    /// The same with a scale of 0: a residual block that ends in it starts as its shortcut (Goyal et
    /// al. 2017, "Accurate, large minibatch SGD").
    #[must_use]
    pub fn from_zero(self) -> Self {
        let _ = tch::no_grad(|| self.weight.shallow_clone().zero_());
        self
    }

    // The kernel and bias of the convolution that both together are.
    fn folded(&self) -> [Tensor; 2] {
        let double = |tensor: &Tensor| tensor.to_kind(Kind::Double);
        let factor = double(&self.weight) / (double(&self.variance) + EPSILON).sqrt();
        let kernel = double(&self.kernel) * factor.reshape([-1, 1, 1, 1]);
        let bias = double(&self.bias) - double(&self.mean) * factor;
        [kernel, bias].map(|it| it.to_kind(Kind::Float))
    }

    fn convolve(&self, x: &Tensor, kernel: &Tensor, bias: Option<&Tensor>) -> Tensor {
        let (stride, padding) = ([self.stride; 2], [kernel.size()[2] / 2; 2]);
        x.conv2d(kernel, bias, stride, padding, [1; 2], 1)
    }
}

impl Layer for ConvNorm {
    fn forward_t(&self, x: &Tensor, train: bool) -> Tensor {
        if !train {
            let [kernel, bias] = self.folded();
            return self.convolve(x, &kernel, Some(&bias));
        }
        let x = self.convolve(&lower(x), &lower(&self.kernel), None);
        let (weight, bias) = (Some(&self.weight), Some(&self.bias));
        let (mean, variance) = (Some(&self.mean), Some(&self.variance));
        x.batch_norm(weight, bias, mean, variance, true, MOMENTUM, EPSILON, true)
    }

    fn export(&self, graph: &mut GraphBuilder, x: &Value) -> Result<Value, GraphError> {
        let [kernel, bias] = self.folded();
        let attributes = ConvAttributes {
            strides: [self.stride as usize; 2],
            pads: [kernel.size()[2] as usize / 2; 4],
            ..ConvAttributes::default()
        };
        let kernel = add_weight(graph, &self.name, "weight", &kernel)?;
        let bias = add_weight(graph, &self.name, "bias", &bias)?;
        ops::conv(graph, x, &kernel, Some(&bias), attributes)
    }

    fn fold(&self) {
        // A scale of 64 with a variance of 64² normalises nothing: epsilon vanishes beside it. Both
        // are float16 numbers, so storing them changes nothing either.
        let [kernel, bias] = self.folded();
        tch::no_grad(|| {
            self.kernel.shallow_clone().copy_(&kernel);
            self.bias.shallow_clone().copy_(&bias);
            let _ = self.weight.shallow_clone().fill_(64.0);
            let _ = self.mean.shallow_clone().zero_();
            let _ = self.variance.shallow_clone().fill_(64.0 * 64.0);
        });
    }
}

impl Layer for Residual {
    fn forward_t(&self, x: &Tensor, train: bool) -> Tensor {
        let body = self.body.forward_t(x, train);
        let sum = match &self.shortcut {
            Some(shortcut) => body + shortcut.forward_t(x, train),
            None => body + x,
        };
        RELU.forward_t(&sum, train)
    }

    fn export(&self, graph: &mut GraphBuilder, x: &Value) -> Result<Value, GraphError> {
        let body = self.body.export(graph, x)?;
        let sum = match &self.shortcut {
            Some(shortcut) => {
                let shortcut = shortcut.export(graph, x)?;
                ops::add(graph, &body, &shortcut)
            }
            None => ops::add(graph, &body, x),
        };
        RELU.export(graph, &sum?)
    }

    fn fold(&self) {
        self.body.fold();
        if let Some(shortcut) = &self.shortcut {
            shortcut.fold();
        }
    }
}

/// He et al.'s shortcut without weights ("option A"): every `stride`th pixel, and zeros for the
/// channels that the input lacks.
///
/// It is written as a convolution whose kernel holds ones and zeros: between convolutions, ONNX
/// Runtime keeps its own layout of images.
pub fn zero_padding(
    path: &nn::Path<'_>,
    [inputs, outputs]: [i64; 2],
    stride: i64,
) -> impl Layer + use<> {
    let options = (Kind::Float, path.device());
    let kernel = Tensor::zeros([outputs, inputs, 1, 1], options);
    let ones = Tensor::eye(inputs, options).reshape([inputs, inputs, 1, 1]);
    kernel.narrow(0, 0, inputs).copy_(&ones);
    ZeroPadding {
        name: full_name(path),
        kernel,
        stride,
    }
}

impl Layer for ZeroPadding {
    fn forward_t(&self, x: &Tensor, _: bool) -> Tensor {
        let bias = None::<&Tensor>;
        let kernel = self.kernel.to_kind(x.kind());
        x.conv2d(&kernel, bias, [self.stride; 2], [0; 2], [1; 2], 1)
    }

    fn export(&self, graph: &mut GraphBuilder, x: &Value) -> Result<Value, GraphError> {
        let kernel = add_weight(graph, &self.name, "weight", &self.kernel)?;
        let attributes = ConvAttributes {
            strides: [self.stride as usize; 2],
            ..ConvAttributes::default()
        };
        ops::conv(graph, x, &kernel, None, attributes)
    }
}

fn full_name(path: &nn::Path<'_>) -> String {
    path.components().collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::precision::Precision;

    #[test]
    fn only_training_is_of_less_precision() {
        let store = nn::VarStore::new(Device::Cpu);
        let root = store.root();
        let layer = ConvNorm::new([&(&root / "conv"), &(&root / "norm")], [2, 3], 3, 2);
        let x = Tensor::rand([4, 2, 7, 7], (Kind::Float, Device::Cpu));
        let kind = |train| {
            let y = layer.forward_t(&x, train);
            assert_eq!(y.size(), [4, 3, 4, 4]);
            y.kind()
        };
        assert_eq!([kind(false), kind(true)], [Kind::Float; 2]);
        assert_eq!(Precision::Bfloat16.scope(|| kind(true)), Kind::BFloat16);
    }
}
