//! The generative adversarial network (Goodfellow et al. 2014): a generator that draws digits, and a
//! discriminator that learns to tell them from handwritten ones.

use quintet_onnx::{GraphError, Value, ops};
use tch::{Tensor, nn};

use crate::data::mnist::Mnist;
use crate::graph::Exporter;
use crate::layers::{BatchNorm, Conv2d, ConvTranspose2d, Dropout, Flatten, LeakyRelu, Linear};
use crate::models::{Architecture, Model};
use crate::task::generation::Generation;

/// Numbers that an image is drawn from.
pub const NOISE: usize = 100;

/// The GAN. The model that is kept is its generator.
pub static GAN: Architecture = Architecture {
    name: "gan",
    summary: "Generative adversarial network",
    recipe: include_str!("../../recipes/gan.toml"),
    original_recipe: Some(include_str!("../../recipes/original-gan.toml")),
    tables: &["adversarial"],
    dataset: &Mnist,
    task: &Generation,
    build: |vs, _| Box::new(Generator::new(vs)),
};

/// Noise 100 → dense 7×7×256 → three transposed convolutions → 28×28: 2,305,472 parameters.
#[derive(Debug)]
pub struct Generator {
    dense: Linear,
    norm0: BatchNorm,
    conv1: ConvTranspose2d,
    norm1: BatchNorm,
    conv2: ConvTranspose2d,
    norm2: BatchNorm,
    conv3: ConvTranspose2d,
}

/// Two convolutions → one number: how likely the image is handwritten. 212,865 parameters.
#[derive(Debug)]
pub struct Discriminator {
    conv1: Conv2d,
    conv2: Conv2d,
    dropout: Dropout,
    dense: Linear,
}

// === impl Generator ===

impl Generator {
    /// Fresh weights under `vs`.
    pub fn new(vs: &nn::Path<'_>) -> Self {
        Self {
            dense: Linear::without_bias(vs, "dense", NOISE as i64, 7 * 7 * 256),
            // Over the 12,544 values of the dense layer, as in the original, not over 256 channels.
            norm0: BatchNorm::new(vs, "norm0", 7 * 7 * 256),
            conv1: ConvTranspose2d::new(vs, "conv1", 256, 128, 1),
            norm1: BatchNorm::new(vs, "norm1", 128),
            conv2: ConvTranspose2d::new(vs, "conv2", 128, 64, 2),
            norm2: BatchNorm::new(vs, "norm2", 64),
            conv3: ConvTranspose2d::new(vs, "conv3", 64, 1, 2),
        }
    }
}

impl Model for Generator {
    // float32 `[N, 28, 28]` in −1..=1 from noise `[N, 100]`; `train` normalises by the batch.
    fn forward_t(&self, inputs: &[Tensor], train: bool) -> Tensor {
        let x = self.norm0.forward_t(&self.dense.forward(&inputs[0]), train);
        let x = LeakyRelu.forward(&x).reshape([-1, 256, 7, 7]);
        let x = self.norm1.forward_t(&self.conv1.forward(&x), train);
        let x = LeakyRelu.forward(&x);
        let x = self.norm2.forward_t(&self.conv2.forward(&x), train);
        let x = self.conv3.forward(&LeakyRelu.forward(&x));
        x.tanh().squeeze_dim(1)
    }

    fn export(&self, to: &mut Exporter, inputs: &[Value]) -> Result<Value, GraphError> {
        let x = self.dense.export(to, &inputs[0])?;
        let x = self.norm0.export(to, &x)?;
        let x = LeakyRelu.export(to, &x)?;
        let x = ops::reshape(to.graph(), &x, &[-1, 256, 7, 7])?;
        let x = self.conv1.export(to, &x)?;
        let x = self.norm1.export(to, &x)?;
        let x = LeakyRelu.export(to, &x)?;
        let x = self.conv2.export(to, &x)?;
        let x = self.norm2.export(to, &x)?;
        let x = LeakyRelu.export(to, &x)?;
        let x = self.conv3.export(to, &x)?;
        let x = ops::tanh(to.graph(), &x)?;
        ops::squeeze(to.graph(), &x, &[1])
    }
}

// === impl Discriminator ===

impl Discriminator {
    /// Fresh weights under `vs`.
    pub fn new(vs: &nn::Path<'_>) -> Self {
        Self {
            conv1: Conv2d::new(vs, "conv1", 1, 64, 5).strided(2, 2),
            conv2: Conv2d::new(vs, "conv2", 64, 128, 5).strided(2, 2),
            dropout: Dropout::new(0.3),
            dense: Linear::new(vs, "dense", 7 * 7 * 128, 1),
        }
    }

    /// Images float32 `[N, 28, 28]` in −1..=1 → the log odds of being handwritten `[N]`. Dropout is
    /// always on, since only training uses the discriminator.
    pub fn logits(&self, images: &Tensor) -> Tensor {
        let x = LeakyRelu.forward(&self.conv1.forward(&images.unsqueeze(1)));
        let x = self.dropout.forward_t(&x, true);
        let x = LeakyRelu.forward(&self.conv2.forward(&x));
        let x = self.dropout.forward_t(&x, true);
        self.dense.forward(&Flatten.forward(&x)).squeeze_dim(1)
    }
}
