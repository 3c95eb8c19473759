//! Normalisation.

use super::FLOAT;
use crate::data_type::DataType;
use crate::error::Result;
use crate::graph::GraphBuilder;
use crate::node::Node;
use crate::shape::Shape;
use crate::value::Value;

/// Inputs of [`batch_normalization`].
#[derive(Clone, Copy, Debug)]
pub struct BatchNormalizationInputs<'v> {
    /// `[N, C, ...]`
    pub x: &'v Value,
    /// `[C]`, also called gamma or weight.
    pub scale: &'v Value,
    /// `[C]`, also called beta or bias.
    pub b: &'v Value,
    /// `[C]`, the running mean.
    pub input_mean: &'v Value,
    /// `[C]`, the running variance (not the standard deviation).
    pub input_var: &'v Value,
}

/// `Y = (X - mean) / sqrt(var + epsilon) * scale + B`, where mean and variance are those of each
/// row, that is along the last axis (Ba et al. 2016). float32.
/// [LayerNormalization](https://onnx.ai/onnx/operators/onnx__LayerNormalization.html)
///
/// `scale` and `b` have the row's length. `epsilon` must be finite and not negative.
pub fn layer_normalization(
    graph: &mut GraphBuilder,
    x: &Value,
    scale: &Value,
    b: Option<&Value>,
    epsilon: f32,
) -> Result<Value> {
    let mut node = Node::new(graph, "LayerNormalization");
    node.input("X", x, FLOAT)?;
    let Some(row) = x
        .shape()
        .last()
        .cloned()
        .map(|length| Shape::from([length]))
    else {
        return Err(node.bad_shape("X", x, "at least one axis"));
    };
    for (input, value) in [("Scale", Some(scale)), ("B", b)] {
        node.optional_input(input, value, FLOAT)?;
        if let Some(value) = value.filter(|it| *it.shape() != row) {
            return Err(node.bad_shape(input, value, row));
        }
    }
    node.attribute("axis", -1);
    set_epsilon(&mut node, epsilon)?;
    node.finish(DataType::Float32, x.shape().clone())
}

/// `Y = (X - mean) / sqrt(var + epsilon) * scale + B`, channel by channel, for inference. float32.
/// [BatchNormalization](https://onnx.ai/onnx/operators/onnx__BatchNormalization.html)
///
/// `epsilon` must be finite and not negative.
pub fn batch_normalization(
    graph: &mut GraphBuilder,
    inputs: &BatchNormalizationInputs<'_>,
    epsilon: f32,
) -> Result<Value> {
    let mut node = Node::new(graph, "BatchNormalization");
    let x = inputs.x;
    let factors = [
        ("scale", inputs.scale),
        ("B", inputs.b),
        ("input_mean", inputs.input_mean),
        ("input_var", inputs.input_var),
    ];
    node.input("X", x, FLOAT)?;
    let Some(channels) = x.shape().get(1).cloned() else {
        return Err(node.bad_shape("X", x, "[N, C, ...]"));
    };
    let expected = Shape::from([channels]);
    for (input, value) in factors {
        node.input(input, value, FLOAT)?;
        if *value.shape() != expected {
            return Err(node.bad_shape(input, value, expected));
        }
    }
    set_epsilon(&mut node, epsilon)?;
    node.finish(DataType::Float32, x.shape().clone())
}

fn set_epsilon(node: &mut Node<'_>, epsilon: f32) -> Result<()> {
    if !(epsilon.is_finite() && epsilon >= 0.0) {
        return Err(node.bad_attribute("epsilon", epsilon, "a finite number, at least 0"));
    }
    node.attribute("epsilon", epsilon);
    Ok(())
}
