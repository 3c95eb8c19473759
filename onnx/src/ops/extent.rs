//! Run-time lengths as values, and axes that become shorter or longer.

use super::FLOAT;
use crate::data_type::{ANY, DataType};
use crate::error::Result;
use crate::graph::GraphBuilder;
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::Value;

/// The length of one axis of `data`, int64 `[1]`.
/// [Shape](https://onnx.ai/onnx/operators/onnx__Shape.html), as of opset 15
pub fn shape(graph: &mut GraphBuilder, data: &Value, axis: i64) -> Result<Value> {
    let mut node = Node::new(graph, "Shape");
    node.input("data", data, ANY)?;
    let axis = node.axis("start", axis, data.shape().rank())? as i64;
    node.attribute("start", axis);
    node.attribute("end", axis + 1);
    node.finish(DataType::Int64, [1].into())
}

/// 0, 1, 2, … below the length of one axis of `data`: int64 `[L]` for an axis of length `L`.
/// [Range](https://onnx.ai/onnx/operators/onnx__Range.html) up to what [`shape`] gives
pub fn range(graph: &mut GraphBuilder, data: &Value, axis: i64) -> Result<Value> {
    let length = shape(graph, data, axis)?;
    let limit = super::squeeze(graph, &length, &[0])?;
    let mut node = Node::new(graph, "Range");
    let axis = node.axis("axis", axis, data.shape().rank())?;
    node.constant("start", &[], &[0_i64])?;
    node.input("limit", &limit, &[DataType::Int64])?;
    node.constant("delta", &[], &[1_i64])?;
    node.finish(DataType::Int64, Shape::from([data.shape()[axis].clone()]))
}

/// The elements from `start` to before `end` of an axis, whose length must be fixed.
/// [Slice](https://onnx.ai/onnx/operators/onnx__Slice.html)
pub fn slice(
    graph: &mut GraphBuilder,
    data: &Value,
    axis: i64,
    start: usize,
    end: usize,
) -> Result<Value> {
    let mut node = Node::new(graph, "Slice");
    node.input("data", data, ANY)?;
    let at = node.axis("axes", axis, data.shape().rank())?;
    let Some(longest) = data.shape()[at].fixed() else {
        return Err(node.bad_shape("data", data, format!("a fixed length at axis {axis}")));
    };
    if !(start < end && end <= longest) {
        let actual = format!("{start} to {end}");
        let allowed = format!("a part of 0 to {longest}");
        return Err(node.bad_attribute("starts, ends", actual, allowed));
    }
    for (input, value) in [
        ("starts", start as i64),
        ("ends", end as i64),
        ("axes", axis),
    ] {
        node.constant(input, &[1], &[value])?;
    }
    let mut dims = data.shape().to_vec();
    dims[at] = Dim::Fixed(end - start);
    node.finish(data.data_type(), dims.into())
}

/// `before` zeros before the elements of an axis, whose length must be fixed, and `after` behind
/// them. float32. [Pad](https://onnx.ai/onnx/operators/onnx__Pad.html), as of opset 13
pub fn pad(
    graph: &mut GraphBuilder,
    data: &Value,
    axis: i64,
    [before, after]: [usize; 2],
) -> Result<Value> {
    let mut node = Node::new(graph, "Pad");
    node.input("data", data, FLOAT)?;
    let rank = data.shape().rank();
    let at = node.axis("axis", axis, rank)?;
    let Some(length) = data.shape()[at].fixed() else {
        return Err(node.bad_shape("data", data, format!("a fixed length at axis {axis}")));
    };
    // Of all axes: what comes before each, then what comes behind each.
    let mut pads = vec![0; 2 * rank];
    [pads[at], pads[rank + at]] = [before as i64, after as i64];
    node.constant("pads", &[2 * rank], &pads)?;
    let mut dims = data.shape().to_vec();
    dims[at] = Dim::Fixed(length.saturating_add(before).saturating_add(after));
    node.finish(data.data_type(), dims.into())
}

/// The inputs one behind the other along one axis, whose lengths must be fixed; the other axes must
/// be equal. [Concat](https://onnx.ai/onnx/operators/onnx__Concat.html)
pub fn concat(graph: &mut GraphBuilder, inputs: &[&Value], axis: i64) -> Result<Value> {
    let mut node = Node::new(graph, "Concat");
    let Some(first) = inputs.first() else {
        return Err(node.bad_attribute("inputs", "none", "at least one"));
    };
    let at = node.axis("axis", axis, first.shape().rank())?;
    let mut dims = first.shape().to_vec();
    let mut length = 0_usize;
    for &input in inputs {
        node.input("inputs", input, &[first.data_type()])?;
        let here = input.shape().get(at).and_then(Dim::fixed);
        let others = |shape: &[Dim]| [&shape[..at], &shape[at + 1..]].concat();
        match here {
            Some(here)
                if input.shape().rank() == dims.len() && others(input.shape()) == others(&dims) =>
            {
                length = length.saturating_add(here);
            }
            _ => {
                let allowed = format!("{} with a fixed length at axis {axis}", first.shape());
                return Err(node.bad_shape("inputs", input, allowed));
            }
        }
    }
    node.attribute("axis", axis);
    dims[at] = Dim::Fixed(length);
    node.finish(first.data_type(), dims.into())
}
