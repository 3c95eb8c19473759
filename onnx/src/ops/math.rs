//! Arithmetic: element-wise, and the matrix product.

use super::FLOAT;
use crate::data_type::DataType;
use crate::error::Result;
use crate::graph::GraphBuilder;
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::Value;

/// What element-wise arithmetic takes.
pub(super) const NUMBERS: &[DataType] = &[DataType::Float32, DataType::Int32, DataType::Int64];

/// Attributes of [`gemm`]. The default is ONNX's: nothing transposed. The factors `alpha` and `beta`
/// are 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GemmAttributes {
    /// Whether `A` comes as `[K, M]`.
    pub trans_a: bool,
    /// Whether `B` comes as `[N, K]`, the layout of a linear layer's weight.
    pub trans_b: bool,
}

/// `C = A + B`, with broadcasting. float32, int32 or int64.
/// [Add](https://onnx.ai/onnx/operators/onnx__Add.html)
pub fn add(graph: &mut GraphBuilder, a: &Value, b: &Value) -> Result<Value> {
    element_wise(graph, "Add", a, b)
}

/// `C = A - B`, with broadcasting. float32, int32 or int64.
/// [Sub](https://onnx.ai/onnx/operators/onnx__Sub.html)
pub fn sub(graph: &mut GraphBuilder, a: &Value, b: &Value) -> Result<Value> {
    element_wise(graph, "Sub", a, b)
}

/// `C = A * B`, element by element, with broadcasting. float32, int32 or int64.
/// [Mul](https://onnx.ai/onnx/operators/onnx__Mul.html)
pub fn mul(graph: &mut GraphBuilder, a: &Value, b: &Value) -> Result<Value> {
    element_wise(graph, "Mul", a, b)
}

/// `C = A / B`, with broadcasting. float32, int32 or int64 (integers round towards zero).
/// [Div](https://onnx.ai/onnx/operators/onnx__Div.html)
pub fn div(graph: &mut GraphBuilder, a: &Value, b: &Value) -> Result<Value> {
    element_wise(graph, "Div", a, b)
}

/// `Y = A' * B' + C`, where `A'` is `[M, K]` and `B'` is `[K, N]`. float32.
/// [Gemm](https://onnx.ai/onnx/operators/onnx__Gemm.html)
///
/// `C` must broadcast to the result's `[M, N]`.
pub fn gemm(
    graph: &mut GraphBuilder,
    a: &Value,
    b: &Value,
    c: Option<&Value>,
    attributes: GemmAttributes,
) -> Result<Value> {
    let mut node = Node::new(graph, "Gemm");
    node.input("A", a, FLOAT)?;
    node.input("B", b, FLOAT)?;
    node.optional_input("C", c, FLOAT)?;
    for (attribute, transposed) in [
        ("transA", attributes.trans_a),
        ("transB", attributes.trans_b),
    ] {
        if transposed {
            node.attribute(attribute, 1);
        }
    }

    let [rows, k] = matrix(&node, "A", a, attributes.trans_a)?;
    let [b_k, columns] = matrix(&node, "B", b, attributes.trans_b)?;
    if k != b_k {
        let allowed = if attributes.trans_b {
            format!("[N, {k}]")
        } else {
            format!("[{k}, N]")
        };
        return Err(node.bad_shape("B", b, allowed));
    }
    let shape = Shape::from([rows, columns]);
    if let Some(c) = c.filter(|c| c.shape().broadcast(&shape).as_ref() != Some(&shape)) {
        return Err(node.bad_shape("C", c, format!("what broadcasts to {shape}")));
    }
    node.finish(DataType::Float32, shape)
}

/// `Y = A * B`, the product of the matrices in the last two axes, `[..., M, K]` and `[..., K, N]`.
/// float32. [MatMul](https://onnx.ai/onnx/operators/onnx__MatMul.html)
///
/// The axes before them broadcast.
pub fn matmul(graph: &mut GraphBuilder, a: &Value, b: &Value) -> Result<Value> {
    let mut node = Node::new(graph, "MatMul");
    node.input("A", a, FLOAT)?;
    node.input("B", b, FLOAT)?;
    let shape = product(&node, a, b)?;
    node.finish(DataType::Float32, shape)
}

/// The shape of the product of the matrices in the last two axes.
pub(super) fn product(node: &Node<'_>, a: &Value, b: &Value) -> Result<Shape> {
    let ([a_batch @ .., rows, k], [b_batch @ .., b_k, columns]) = (&a.shape()[..], &b.shape()[..])
    else {
        let short = if a.shape().rank() < 2 {
            ("A", a)
        } else {
            ("B", b)
        };
        return Err(node.bad_shape(short.0, short.1, "two axes or more"));
    };
    let batch = Shape::from(a_batch.to_vec()).broadcast(&b_batch.to_vec().into());
    let Some(batch) = batch.filter(|_| k == b_k) else {
        let allowed = format!(
            "[..., {k}, N], whose axes before these broadcast with {}",
            a.shape()
        );
        return Err(node.bad_shape("B", b, allowed));
    };
    Ok([&batch[..], &[rows.clone(), columns.clone()]]
        .concat()
        .into())
}

/// The rows and columns of a factor.
fn matrix(
    node: &Node<'_>,
    input: &'static str,
    value: &Value,
    transposed: bool,
) -> Result<[Dim; 2]> {
    match (&value.shape()[..], transposed) {
        ([rows, columns], false) | ([columns, rows], true) => Ok([rows.clone(), columns.clone()]),
        _ => Err(node.bad_shape(input, value, "two axes")),
    }
}

fn element_wise(graph: &mut GraphBuilder, op: &'static str, a: &Value, b: &Value) -> Result<Value> {
    let mut node = Node::new(graph, op);
    node.input("A", a, NUMBERS)?;
    node.input("B", b, &[a.data_type()])?;
    let shape = node.broadcast(&[a, b])?;
    node.finish(a.data_type(), shape)
}
