//! Dense layers, in float32 or in int8.

use std::cell::OnceCell;

use quintet_onnx::ops::{self, GemmAttributes};
use quintet_onnx::{GraphBuilder, GraphError, Value};
use tch::Tensor;
use tch::nn::{self, Init};

use super::int8::{self, Int8Rows};
use super::{Layer, path};
use crate::export::{add_weight, add_weight_along};
use crate::precision::lower;

/// A dense layer, `x · weightᵀ + bias`: `[..., inputs]` → `[..., outputs]`.
#[derive(Debug)]
pub struct Linear {
    name: String,
    weight: Tensor,
    bias: Option<Tensor>,
    /// The weight in int8, from [`Linear::quantize`] on.
    int8: OnceCell<int8::Weight>,
}

/// Rows of features in a graph as dense layers take them.
#[derive(Debug)]
pub enum Rows {
    /// As they are.
    Float32(Value),
    /// As integers.
    Int8(Int8Rows<Value>),
}

// Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural
// networks", equation 16. It is Keras' default, so the original programs started from it.
pub(super) fn glorot_uniform(fan_in: i64, fan_out: i64) -> Init {
    let bound = (6.0 / (fan_in + fan_out) as f64).sqrt();
    Init::Uniform {
        lo: -bound,
        up: bound,
    }
}

impl Linear {
    /// Glorot-uniform weights `[outputs, inputs]` and a zero bias `[outputs]` under `vs / name`.
    pub fn new(vs: &nn::Path<'_>, name: &str, inputs: i64, outputs: i64) -> Self {
        let mut layer = Self::without_bias(vs, name, inputs, outputs);
        layer.bias = Some(path(vs, name).zeros("bias", &[outputs]));
        layer
    }

    /// As [`Linear::new`], but `x · weightᵀ` alone.
    pub fn without_bias(vs: &nn::Path<'_>, name: &str, inputs: i64, outputs: i64) -> Self {
        let init = glorot_uniform(inputs, outputs);
        Self {
            name: name.to_owned(),
            weight: path(vs, name).var("weight", &[outputs, inputs], init),
            bias: None,
            int8: OnceCell::new(),
        }
    }

    /// From now on the layer computes in int8 with the weight that it has now; see
    /// [`Int8Rows`]. It cannot be trained after that.
    ///
    /// # Errors
    /// A weight is not finite.
    pub fn quantize(&self) -> Result<(), GraphError> {
        let weight = int8::Weight::new(&self.name, &self.weight)?;
        // A second call finds the same weight.
        let _ = self.int8.set(weight);
        Ok(())
    }

    /// Writes what layers of the same arithmetic as this one take of `x`, once for all of them.
    pub fn export_rows(&self, graph: &mut GraphBuilder, x: &Value) -> Result<Rows, GraphError> {
        match self.int8.get() {
            Some(_) => Int8Rows::export(graph, &self.name, x).map(Rows::Int8),
            None => Ok(Rows::Float32(x.clone())),
        }
    }

    /// Writes the layer over rows of [`Linear::export_rows`].
    pub fn export_over(&self, graph: &mut GraphBuilder, rows: &Rows) -> Result<Value, GraphError> {
        match (self.int8.get(), rows) {
            (Some(weight), Rows::Int8(rows)) => {
                let y = weight.export(graph, &self.name, rows)?;
                self.export_bias(graph, y)
            }
            (None, Rows::Float32(x)) => self.export_float32(graph, x),
            _ => Err(GraphError::Value(format!(
                "layer `{}` and its rows differ in their arithmetic",
                self.name
            ))),
        }
    }

    fn export_float32(&self, graph: &mut GraphBuilder, x: &Value) -> Result<Value, GraphError> {
        // A Gemm takes matrices only.
        if x.shape().rank() != 2 {
            let weight = self.weight.tr();
            let weight = add_weight_along(graph, &self.name, "weight", &weight, 1)?;
            let y = ops::matmul(graph, x, &weight)?;
            return self.export_bias(graph, y);
        }
        let bias = self.bias.as_ref();
        let bias = bias.map(|it| add_weight(graph, &self.name, "bias", it));
        let bias = bias.transpose()?;
        let weight = add_weight(graph, &self.name, "weight", &self.weight)?;
        let attributes = GemmAttributes {
            trans_b: true,
            ..GemmAttributes::default()
        };
        ops::gemm(graph, x, &weight, bias.as_ref(), attributes)
    }

    fn export_bias(&self, graph: &mut GraphBuilder, y: Value) -> Result<Value, GraphError> {
        let Some(bias) = &self.bias else { return Ok(y) };
        let bias = add_weight(graph, &self.name, "bias", bias)?;
        ops::add(graph, &y, &bias)
    }
}

impl Layer for Linear {
    fn scale(&self, factor: f64) -> bool {
        tch::no_grad(|| {
            for weight in std::iter::once(&self.weight).chain(&self.bias) {
                let _ = weight.shallow_clone().g_mul_scalar_(factor);
            }
        });
        true
    }

    fn forward_t(&self, x: &Tensor, _: bool) -> Tensor {
        if let Some(weight) = self.int8.get() {
            let y = weight.forward(&Int8Rows::quantize(x));
            return self.bias.iter().fold(y, |y, bias| y + bias);
        }
        let bias = self.bias.as_ref().map(lower);
        lower(x).linear(&lower(&self.weight), bias.as_ref())
    }

    fn export(&self, graph: &mut GraphBuilder, x: &Value) -> Result<Value, GraphError> {
        let rows = self.export_rows(graph, x)?;
        self.export_over(graph, &rows)
    }
}
