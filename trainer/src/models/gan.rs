//! The generative adversarial network (Goodfellow et al. 2014): a generator that draws digits, and
//! a discriminator that learns to tell them from handwritten ones.

use quintet_onnx::ops;
use tch::{Tensor, nn};

use crate::data::mnist::MNIST;
use crate::layers::{
    BatchNorm, CHANNEL, Conv2d, ConvTranspose2d, Dropout, FLATTEN, LEAKY_RELU, Linear, Operator,
    Sequential,
};
use crate::models::Architecture;
use crate::task::generation::Generation;

/// Numbers that an image is drawn from.
pub const NOISE: usize = 100;

/// The GAN. The model that is kept is its generator.
pub static GAN: Architecture = Architecture {
    name: "gan",
    summary: "Generative adversarial network",
    recipe: include_str!("../../recipes/gan.toml"),
    original_recipe: Some(include_str!("../../recipes/original-gan.toml")),
    tables: &["adversarial", "precision"],
    dataset: &MNIST,
    task: &Generation,
    build: |vs, _| Box::new(generator(vs)),
};

/// Noise `[N, 100]` → dense 7×7×256 → three transposed convolutions → images float32 `[N, 28, 28]`
/// in −1..=1: 2,305,472 parameters.
fn generator(vs: &nn::Path<'_>) -> Sequential {
    Sequential::default()
        .then(Linear::without_bias(vs, "dense", NOISE as i64, 7 * 7 * 256))
        // Over the 12,544 values of the dense layer, as in the original, not over 256 channels.
        .then(BatchNorm::new(vs, "norm0", 7 * 7 * 256))
        .then(LEAKY_RELU)
        .then(Operator(
            |x| x.reshape([-1, 256, 7, 7]),
            |graph, x| ops::reshape(graph, x, &[-1, 256, 7, 7]),
        ))
        .then(ConvTranspose2d::new(vs, "conv1", 256, 128, 1))
        .then(BatchNorm::new(vs, "norm1", 128))
        .then(LEAKY_RELU)
        .then(ConvTranspose2d::new(vs, "conv2", 128, 64, 2))
        .then(BatchNorm::new(vs, "norm2", 64))
        .then(LEAKY_RELU)
        .then(ConvTranspose2d::new(vs, "conv3", 64, 1, 2))
        .then(Operator(Tensor::tanh, ops::tanh))
        .then(Operator(
            |x| x.squeeze_dim(1),
            |graph, x| ops::squeeze(graph, x, &[1]),
        ))
}

/// Images float32 `[N, 28, 28]` in −1..=1 → two convolutions → the log odds of being handwritten
/// `[N, 1]`: 212,865 parameters.
pub fn discriminator(vs: &nn::Path<'_>) -> Sequential {
    Sequential::default()
        .then(CHANNEL)
        .then(Conv2d::new(vs, "conv1", 1, 64, 5).strided(2, 2))
        .then(LEAKY_RELU)
        .then(Dropout::new(0.3))
        .then(Conv2d::new(vs, "conv2", 64, 128, 5).strided(2, 2))
        .then(LEAKY_RELU)
        .then(Dropout::new(0.3))
        .then(FLATTEN)
        .then(Linear::new(vs, "dense", 7 * 7 * 128, 1))
}
