//! What makes an axis one number.

use super::FLOAT;
use crate::error::Result;
use crate::graph::GraphBuilder;
use crate::node::Node;
use crate::shape::Dim;
use crate::value::Value;

/// The largest number along one axis, which keeps the length 1. float32.
/// [ReduceMax](https://onnx.ai/onnx/operators/onnx__ReduceMax.html), before opset 18
pub fn reduce_max(graph: &mut GraphBuilder, data: &Value, axis: i64) -> Result<Value> {
    let mut node = Node::new(graph, "ReduceMax");
    node.input("data", data, FLOAT)?;
    let at = node.axis("axes", axis, data.shape().rank())?;
    node.attribute("axes", vec![axis]);
    node.attribute("keepdims", 1);
    let mut dims = data.shape().to_vec();
    dims[at] = Dim::Fixed(1);
    node.finish(data.data_type(), dims.into())
}

/// The mean over one axis, which is left out. float32.
/// [ReduceMean](https://onnx.ai/onnx/operators/onnx__ReduceMean.html), before opset 18
pub fn reduce_mean(graph: &mut GraphBuilder, data: &Value, axis: i64) -> Result<Value> {
    let mut node = Node::new(graph, "ReduceMean");
    node.input("data", data, FLOAT)?;
    let at = node.axis("axes", axis, data.shape().rank())?;
    node.attribute("axes", vec![axis]);
    node.attribute("keepdims", 0);
    let mut dims = data.shape().to_vec();
    dims.remove(at);
    node.finish(data.data_type(), dims.into())
}
