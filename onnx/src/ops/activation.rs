//! Functions of one float32 value that keep its shape.

use super::FLOAT;
use crate::error::Result;
use crate::graph::GraphBuilder;
use crate::node::Node;
use crate::value::Value;

/// `y = max(0, x)`. [Relu](https://onnx.ai/onnx/operators/onnx__Relu.html)
pub fn relu(graph: &mut GraphBuilder, x: &Value) -> Result<Value> {
    unary(graph, "Relu", x)
}

/// `y = 1 / (1 + exp(-x))`. [Sigmoid](https://onnx.ai/onnx/operators/onnx__Sigmoid.html)
pub fn sigmoid(graph: &mut GraphBuilder, x: &Value) -> Result<Value> {
    unary(graph, "Sigmoid", x)
}

/// `y = tanh(x)`. [Tanh](https://onnx.ai/onnx/operators/onnx__Tanh.html)
pub fn tanh(graph: &mut GraphBuilder, x: &Value) -> Result<Value> {
    unary(graph, "Tanh", x)
}

/// `y = |x|`. [Abs](https://onnx.ai/onnx/operators/onnx__Abs.html)
pub fn abs(graph: &mut GraphBuilder, x: &Value) -> Result<Value> {
    unary(graph, "Abs", x)
}

/// `y` is the integer nearest to `x`; halves go to the even one.
/// [Round](https://onnx.ai/onnx/operators/onnx__Round.html)
pub fn round(graph: &mut GraphBuilder, x: &Value) -> Result<Value> {
    unary(graph, "Round", x)
}

/// `y = x` where `x >= 0`, else `alpha * x`.
/// [LeakyRelu](https://onnx.ai/onnx/operators/onnx__LeakyRelu.html)
pub fn leaky_relu(graph: &mut GraphBuilder, x: &Value, alpha: f32) -> Result<Value> {
    let mut node = Node::new(graph, "LeakyRelu");
    node.input("X", x, FLOAT)?;
    if !alpha.is_finite() {
        return Err(node.bad_attribute("alpha", alpha, "a finite number"));
    }
    node.attribute("alpha", alpha);
    node.finish(x.data_type(), x.shape().clone())
}

/// `y = min(max(x, min), max)`; a bound that is `None` does not bind.
/// [Clip](https://onnx.ai/onnx/operators/onnx__Clip.html)
///
/// At least one bound must be there, neither may be NaN, and `min` must not exceed `max`.
pub fn clip(
    graph: &mut GraphBuilder,
    input: &Value,
    min: Option<f32>,
    max: Option<f32>,
) -> Result<Value> {
    let mut node = Node::new(graph, "Clip");
    node.input("input", input, FLOAT)?;
    let fits = match (min, max) {
        (None, None) => false,
        (Some(bound), None) | (None, Some(bound)) => !bound.is_nan(),
        (Some(min), Some(max)) => min <= max,
    };
    if !fits {
        let actual = format!("{min:?} to {max:?}");
        return Err(node.bad_attribute("min, max", actual, "at least one bound, min <= max"));
    }
    for (name, bound) in [("min", min), ("max", max)] {
        match bound {
            Some(bound) => node.constant(name, &[], &[bound])?,
            None => node.optional_input(name, None, FLOAT)?,
        }
    }
    node.finish(input.data_type(), input.shape().clone())
}

/// `y = exp(x) / sum(exp(x))` along one axis, which counts from the end when negative.
/// [Softmax](https://onnx.ai/onnx/operators/onnx__Softmax.html), as of opset 13
pub fn softmax(graph: &mut GraphBuilder, input: &Value, axis: i64) -> Result<Value> {
    let mut node = Node::new(graph, "Softmax");
    node.input("input", input, FLOAT)?;
    node.axis("axis", axis, input.shape().rank())?;
    node.attribute("axis", axis);
    node.finish(input.data_type(), input.shape().clone())
}

fn unary(graph: &mut GraphBuilder, op: &'static str, x: &Value) -> Result<Value> {
    let mut node = Node::new(graph, op);
    node.input("X", x, FLOAT)?;
    node.finish(x.data_type(), x.shape().clone())
}
