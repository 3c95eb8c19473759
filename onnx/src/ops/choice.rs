//! Comparison, and the choice between two values.

use super::math::NUMBERS;
use crate::data_type::{ANY, DataType};
use crate::error::Result;
use crate::graph::GraphBuilder;
use crate::node::Node;
use crate::value::Value;

/// `C = A < B`, bool, with broadcasting. float32, int32 or int64.
/// [Less](https://onnx.ai/onnx/operators/onnx__Less.html)
pub fn less(graph: &mut GraphBuilder, a: &Value, b: &Value) -> Result<Value> {
    let mut node = Node::new(graph, "Less");
    node.input("A", a, NUMBERS)?;
    node.input("B", b, &[a.data_type()])?;
    let shape = node.broadcast(&[a, b])?;
    node.finish(DataType::Bool, shape)
}

/// `X` where `condition` (bool) holds and `Y` elsewhere, with broadcasting.
/// [Where](https://onnx.ai/onnx/operators/onnx__Where.html)
pub fn where_(graph: &mut GraphBuilder, condition: &Value, x: &Value, y: &Value) -> Result<Value> {
    let mut node = Node::new(graph, "Where");
    node.input("condition", condition, &[DataType::Bool])?;
    node.input("X", x, ANY)?;
    node.input("Y", y, &[x.data_type()])?;
    let shape = node.broadcast(&[condition, x, y])?;
    node.finish(x.data_type(), shape)
}
