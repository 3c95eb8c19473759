//! The convolutional network: two convolutions with pooling, one hidden dense layer.
//!
//! Reaches about 99.5 % of MNIST's test images with `recipes/cnn.toml`.

use quintet_onnx::{GraphBuilder, GraphError, Value};
use tch::{Tensor, nn};

use crate::data::mnist::MNIST;
use crate::layers::{
    CHANNEL, Conv2d, Dropout, FLATTEN, Layer, Linear, MAX_POOL, PIXEL_SCALE, RELU, Sequential,
};
use crate::models::Architecture;
use crate::task::classification::IMAGES;

/// The convolutional network.
pub static CNN: Architecture = Architecture {
    name: "cnn",
    summary: "Convolutional network",
    recipe: include_str!("../../recipes/cnn.toml"),
    original_recipe: Some(include_str!("../../recipes/original-cnn.toml")),
    tables: &["loss", "augmentation", "outliers"],
    dataset: &MNIST,
    task: &IMAGES,
    build: |vs, _| Box::new(Cnn::new(vs)),
};

/// Conv 32 → pool → conv 64 → pool → dense 128 → 10: 225,034 parameters.
#[derive(Debug)]
pub struct Cnn {
    /// Images → the penultimate features float32 `[N, 128]`.
    pub features: Sequential,
    dropout: Dropout,
    /// Features → logits `[N, 10]`.
    pub head: Linear,
}

impl Cnn {
    /// Fresh weights under `vs`.
    pub fn new(vs: &nn::Path<'_>) -> Self {
        Self {
            features: Sequential::default()
                .then(PIXEL_SCALE)
                .then(CHANNEL)
                .then(Conv2d::new(vs, "conv1", 1, 32, 3))
                .then(RELU)
                .then(MAX_POOL)
                .then(Conv2d::new(vs, "conv2", 32, 64, 3))
                .then(RELU)
                .then(MAX_POOL)
                .then(FLATTEN)
                .then(Linear::new(vs, "fc1", 64 * 5 * 5, 128))
                .then(RELU),
            dropout: Dropout::new(0.5),
            head: Linear::new(vs, "fc2", 128, 10),
        }
    }
}

impl Layer for Cnn {
    fn forward_t(&self, pixels: &Tensor, train: bool) -> Tensor {
        let features = self.features.forward_t(pixels, train);
        self.head
            .forward_t(&self.dropout.forward_t(&features, train), train)
    }

    fn export(&self, graph: &mut GraphBuilder, pixels: &Value) -> Result<Value, GraphError> {
        let features = self.features.export(graph, pixels)?;
        self.head.export(graph, &features)
    }

    fn scale(&self, factor: f64) -> bool {
        self.head.scale(factor)
    }
}
