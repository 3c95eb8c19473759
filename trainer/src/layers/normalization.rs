//! Normalisation of each row by itself.

use quintet_onnx::{GraphBuilder, GraphError, Value, ops};
use tch::{Tensor, nn};

use super::{Layer, path};
use crate::export::add_weight;

/// Layer normalisation (Ba et al. 2016) over the last axis.
#[derive(Debug)]
pub struct LayerNorm {
    name: String,
    weight: Tensor,
    bias: Tensor,
    epsilon: f64,
}

impl LayerNorm {
    /// Weights of one and biases of zero, both `[features]`, under `vs / name`. `epsilon` is added
    /// to the variance.
    pub fn new(vs: &nn::Path<'_>, name: &str, features: i64, epsilon: f64) -> Self {
        let vs = path(vs, name);
        Self {
            name: name.to_owned(),
            weight: vs.ones("weight", &[features]),
            bias: vs.zeros("bias", &[features]),
            epsilon,
        }
    }
}

impl Layer for LayerNorm {
    fn forward_t(&self, x: &Tensor, _: bool) -> Tensor {
        let (weight, bias) = (Some(&self.weight), Some(&self.bias));
        x.layer_norm(self.weight.size(), weight, bias, self.epsilon, true)
    }

    fn export(&self, graph: &mut GraphBuilder, x: &Value) -> Result<Value, GraphError> {
        let weight = add_weight(graph, &self.name, "weight", &self.weight)?;
        let bias = add_weight(graph, &self.name, "bias", &self.bias)?;
        ops::layer_normalization(graph, x, &weight, Some(&bias), self.epsilon as f32)
    }
}
