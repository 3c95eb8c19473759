//! Integers that stand for float32 numbers.

use super::FLOAT;
use super::math::product;
use crate::data_type::DataType;
use crate::error::Result;
use crate::graph::GraphBuilder;
use crate::node::Node;
use crate::shape::Shape;
use crate::value::Value;

/// `y = x * x_scale` for int8 `x`, with a scale for each place of one axis.
/// [DequantizeLinear](https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html)
///
/// `x_scale` is float32 `[C]` for an axis of length `C`. The zero point is 0.
pub fn dequantize_linear(
    graph: &mut GraphBuilder,
    x: &Value,
    x_scale: &Value,
    axis: i64,
) -> Result<Value> {
    let mut node = Node::new(graph, "DequantizeLinear");
    node.input("x", x, &[DataType::Int8])?;
    node.input("x_scale", x_scale, FLOAT)?;
    let at = node.axis("axis", axis, x.shape().rank())?;
    let expected = Shape::from([x.shape()[at].clone()]);
    if *x_scale.shape() != expected {
        return Err(node.bad_shape("x_scale", x_scale, expected));
    }
    node.attribute("axis", axis);
    node.finish(DataType::Float32, x.shape().clone())
}

/// `Y = (A - a_zero_point) * B` in exact integers: int32. `A` is uint8 `[..., M, K]`, `B` int8
/// `[..., K, N]`, as in [`matmul`](super::matmul).
/// [MatMulInteger](https://onnx.ai/onnx/operators/onnx__MatMulInteger.html)
///
/// ONNX Runtime's kernel for x86 processors without VNNI adds two products in 16 bits, which can
/// saturate.
pub fn matmul_integer(
    graph: &mut GraphBuilder,
    a: &Value,
    b: &Value,
    a_zero_point: u8,
) -> Result<Value> {
    let mut node = Node::new(graph, "MatMulInteger");
    node.input("A", a, &[DataType::Uint8])?;
    node.input("B", b, &[DataType::Int8])?;
    node.constant("a_zero_point", &[], &[a_zero_point])?;
    let shape = product(&node, a, b)?;
    node.finish(DataType::Int32, shape)
}
