//! The convolutional network: two convolutions with pooling, one hidden dense layer.
//!
//! Reaches about 99.5 % of MNIST's test images with `recipes/cnn.toml`.

use quintet_onnx::{GraphError, Value, ops};
use tch::{Tensor, nn};

use crate::data::mnist::Mnist;
use crate::graph::Exporter;
use crate::layers::{Conv2d, Dropout, Flatten, Linear, MaxPool, PixelScale, Relu};
use crate::models::{Architecture, Model};
use crate::task::classification::DIGITS;

/// The convolutional network.
pub static CNN: Architecture = Architecture {
    name: "cnn",
    summary: "Convolutional network",
    recipe: include_str!("../../recipes/cnn.toml"),
    original_recipe: Some(include_str!("../../recipes/original-cnn.toml")),
    tables: &["loss", "augmentation"],
    dataset: &Mnist,
    task: &DIGITS,
    build: |vs, _| Box::new(Cnn::new(vs)),
};

/// Conv 32 → pool → conv 64 → pool → dense 128 → 10: 225,034 parameters.
#[derive(Debug)]
pub struct Cnn {
    scale: PixelScale,
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    dropout: Dropout,
    fc2: Linear,
}

impl Cnn {
    /// Fresh weights under `vs`.
    pub fn new(vs: &nn::Path<'_>) -> Self {
        Self {
            scale: PixelScale,
            conv1: Conv2d::new(vs, "conv1", 1, 32, 3),
            conv2: Conv2d::new(vs, "conv2", 32, 64, 3),
            fc1: Linear::new(vs, "fc1", 64 * 5 * 5, 128),
            dropout: Dropout::new(0.5),
            fc2: Linear::new(vs, "fc2", 128, 10),
        }
    }

    /// The penultimate features of images: float32 `[N, 128]`.
    pub fn features(&self, pixels: &Tensor) -> Tensor {
        let x = self.scale.forward(pixels).unsqueeze(1);
        let x = MaxPool.forward(&Relu.forward(&self.conv1.forward(&x)));
        let x = MaxPool.forward(&Relu.forward(&self.conv2.forward(&x)));
        Relu.forward(&self.fc1.forward(&Flatten.forward(&x)))
    }

    /// Logits `[N, 10]` of features.
    pub fn head(&self, features: &Tensor) -> Tensor {
        self.fc2.forward(features)
    }
}

impl Model for Cnn {
    fn forward_t(&self, inputs: &[Tensor], train: bool) -> Tensor {
        let features = self.features(&inputs[0]);
        self.head(&self.dropout.forward_t(&features, train))
    }

    fn export(&self, to: &mut Exporter, inputs: &[Value]) -> Result<Value, GraphError> {
        let x = self.scale.export(to, &inputs[0])?;
        let x = ops::unsqueeze(to.graph(), &x, &[1])?;
        let x = self.conv1.export(to, &x)?;
        let x = Relu.export(to, &x)?;
        let x = MaxPool.export(to, &x)?;
        let x = self.conv2.export(to, &x)?;
        let x = Relu.export(to, &x)?;
        let x = MaxPool.export(to, &x)?;
        let x = Flatten.export(to, &x)?;
        let x = self.fc1.export(to, &x)?;
        let x = Relu.export(to, &x)?;
        self.fc2.export(to, &x)
    }
}
