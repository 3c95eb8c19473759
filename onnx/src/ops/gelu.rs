//! The Gaussian error function, and the gated activations that Transformers use.

use super::{FLOAT, activation, math};
use crate::error::Result;
use crate::graph::GraphBuilder;
use crate::node::Node;
use crate::value::Value;

/// `y = erf(x)`, the Gaussian error function. [Erf](https://onnx.ai/onnx/operators/onnx__Erf.html)
pub fn erf(graph: &mut GraphBuilder, x: &Value) -> Result<Value> {
    let mut node = Node::new(graph, "Erf");
    node.input("input", x, FLOAT)?;
    node.finish(x.data_type(), x.shape().clone())
}

/// `y = x / 2 * (1 + erf(x / √2))`: x times the chance that a standard normal number is below it
/// (Hendrycks & Gimpel 2016, "Gaussian error linear units").
///
/// The operators stand in the order that ONNX Runtime fuses into one.
pub fn gelu(graph: &mut GraphBuilder, x: &Value) -> Result<Value> {
    let y = with_scalar(graph, math::div, x, std::f32::consts::SQRT_2)?;
    let y = erf(graph, &y)?;
    let y = with_scalar(graph, math::add, &y, 1.0)?;
    let y = math::mul(graph, x, &y)?;
    with_scalar(graph, math::mul, &y, 0.5)
}

/// `y = x / 2 * (1 + tanh(√(2 / π) * (x + 0.044715 * x³)))`, the approximation of [`gelu`] from the
/// same paper.
pub fn gelu_tanh(graph: &mut GraphBuilder, x: &Value) -> Result<Value> {
    let square = math::mul(graph, x, x)?;
    let cube = math::mul(graph, &square, x)?;
    let y = with_scalar(graph, math::mul, &cube, 0.044_715)?;
    let y = math::add(graph, x, &y)?;
    let slope = std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2;
    let y = with_scalar(graph, math::mul, &y, slope)?;
    let y = activation::tanh(graph, &y)?;
    let y = with_scalar(graph, math::add, &y, 1.0)?;
    let y = math::mul(graph, x, &y)?;
    with_scalar(graph, math::mul, &y, 0.5)
}

/// `y = x * sigmoid(x)`, also called swish (Elfwing et al. 2017).
pub fn silu(graph: &mut GraphBuilder, x: &Value) -> Result<Value> {
    let gate = activation::sigmoid(graph, x)?;
    math::mul(graph, x, &gate)
}

type Binary = fn(&mut GraphBuilder, &Value, &Value) -> Result<Value>;

fn with_scalar(graph: &mut GraphBuilder, op: Binary, x: &Value, scalar: f32) -> Result<Value> {
    let scalar = graph.scalar(scalar)?;
    op(graph, x, &scalar)
}
