//! Tokens as features.

use quintet_onnx::{GraphBuilder, GraphError, Value, ops};
use tch::Tensor;
use tch::nn::{self, Init};

use super::path;
use crate::export::add_weight;

/// The name of a recurrent network's embedding.
pub const EMBEDDING: &str = "embedding";

/// A table with one row of features for each token.
#[derive(Debug)]
pub struct Embedding {
    name: String,
    /// float32 `[tokens, features]`.
    pub weight: Tensor,
}

impl Embedding {
    /// A table `[tokens, features]` of small numbers under `vs / name`.
    pub fn new(vs: &nn::Path<'_>, name: &str, tokens: i64, features: i64) -> Self {
        // Keras' default.
        let init = Init::Uniform {
            lo: -0.05,
            up: 0.05,
        };
        Self {
            name: name.to_owned(),
            weight: path(vs, name).var("weight", &[tokens, features], init),
        }
    }

    /// Tokens int64 of any shape → float32 with one more axis, `features`.
    pub fn forward(&self, tokens: &Tensor) -> Tensor {
        Tensor::embedding(&self.weight, tokens, -1, false, false)
    }

    /// One `Gather`.
    pub fn export(&self, graph: &mut GraphBuilder, tokens: &Value) -> Result<Value, GraphError> {
        let weight = self.add_rows(graph, &self.weight)?;
        ops::gather(graph, &weight, tokens, 0)
    }

    /// Adds a part of the table to the graph in its place.
    pub fn add_rows(&self, graph: &mut GraphBuilder, rows: &Tensor) -> Result<Value, GraphError> {
        add_weight(graph, &self.name, "weight", rows)
    }
}
