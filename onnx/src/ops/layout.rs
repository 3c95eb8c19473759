//! Types, shapes and order: what changes no number (but for a cast's rounding).

use crate::data_type::{ANY, DataType};
use crate::error::Result;
use crate::graph::GraphBuilder;
use crate::node::Node;
use crate::shape::{Dim, Shape, flattened, volume};
use crate::value::Value;

/// The input as another element type. [Cast](https://onnx.ai/onnx/operators/onnx__Cast.html)
///
/// float32 to an integer cuts the fraction off; a value outside the integer's range gives an
/// undefined result, so [`clip`](super::clip) first.
pub fn cast(graph: &mut GraphBuilder, input: &Value, to: DataType) -> Result<Value> {
    let mut node = Node::new(graph, "Cast");
    node.input("input", input, ANY)?;
    node.attribute("to", i64::from(to.code()));
    node.finish(to, input.shape().clone())
}

/// The same elements in another shape. [Reshape](https://onnx.ai/onnx/operators/onnx__Reshape.html)
///
/// In `shape`, 0 keeps the input's axis at that place, and one -1 takes what is left. The number of
/// elements must provably stay: symbols have to be kept, or be all that -1 takes.
pub fn reshape(graph: &mut GraphBuilder, data: &Value, shape: &[i64]) -> Result<Value> {
    let mut node = Node::new(graph, "Reshape");
    node.input("data", data, ANY)?;
    node.constant("shape", &[shape.len()], shape)
        .map_err(|_| node.bad_attribute("shape", "[]", "at least one axis"))?;
    let result = reshaped(data.shape(), shape).ok_or_else(|| {
        let allowed = format!(
            "lengths, 0 to keep an axis and one -1, that provably hold the elements of {}",
            data.shape()
        );
        node.bad_attribute("shape", format!("{shape:?}"), allowed)
    })?;
    node.finish(data.data_type(), result)
}

/// The axes before `axis` as one, and those from `axis` on as another.
/// [Flatten](https://onnx.ai/onnx/operators/onnx__Flatten.html)
///
/// `axis` may equal the rank, and counts from the end when negative.
pub fn flatten(graph: &mut GraphBuilder, input: &Value, axis: i64) -> Result<Value> {
    let mut node = Node::new(graph, "Flatten");
    node.input("input", input, ANY)?;
    let rank = input.shape().rank();
    // The one axis that may lie behind the last.
    let split = if axis == rank as i64 {
        rank
    } else {
        node.axis("axis", axis, rank).map_err(|_| {
            node.bad_attribute("axis", axis, format!("-{rank} to {rank} for rank {rank}"))
        })?
    };
    node.attribute("axis", axis);
    let (outer, inner) = input.shape().split_at(split);
    let (Some(outer), Some(inner)) = (flattened(outer), flattened(inner)) else {
        let allowed = format!("fixed lengths or one symbol alone on each side of axis {axis}");
        return Err(node.bad_shape("input", input, allowed));
    };
    node.finish(input.data_type(), Shape::from([outer, inner]))
}

/// The slices of `data` that `indices` (int32 or int64) name along one axis.
/// [Gather](https://onnx.ai/onnx/operators/onnx__Gather.html)
///
/// The result's shape is the data's with `axis` replaced by the indices' shape. With a table as
/// data and axis 0, this is an embedding. An index outside the axis is an error at run time.
pub fn gather(graph: &mut GraphBuilder, data: &Value, indices: &Value, axis: i64) -> Result<Value> {
    let mut node = Node::new(graph, "Gather");
    node.input("data", data, ANY)?;
    node.input("indices", indices, &[DataType::Int32, DataType::Int64])?;
    let at = node.axis("axis", axis, data.shape().rank())?;
    node.attribute("axis", axis);
    let (before, after) = (&data.shape()[..at], &data.shape()[at + 1..]);
    let shape = [before, indices.shape(), after].concat().into();
    node.finish(data.data_type(), shape)
}

/// The input with new axes of length 1 at the places `axes` of the result.
/// [Unsqueeze](https://onnx.ai/onnx/operators/onnx__Unsqueeze.html)
pub fn unsqueeze(graph: &mut GraphBuilder, data: &Value, axes: &[i64]) -> Result<Value> {
    let mut node = Node::new(graph, "Unsqueeze");
    node.input("data", data, ANY)?;
    let rank = data.shape().rank() + axes.len();
    let new = distinct_axes(&node, axes, rank)?;
    node.constant("axes", &[axes.len()], axes)?;
    let mut old = data.shape().iter().cloned();
    let dims = (0..rank).map(|axis| {
        if new.contains(&axis) {
            Some(Dim::Fixed(1))
        } else {
            old.next()
        }
    });
    let shape: Option<Shape> = dims.collect();
    let shape = shape.expect("the rank counts the old and the new axes");
    node.finish(data.data_type(), shape)
}

/// The input without the axes `axes`, each of which must have the length 1.
/// [Squeeze](https://onnx.ai/onnx/operators/onnx__Squeeze.html)
pub fn squeeze(graph: &mut GraphBuilder, data: &Value, axes: &[i64]) -> Result<Value> {
    let mut node = Node::new(graph, "Squeeze");
    node.input("data", data, ANY)?;
    let gone = distinct_axes(&node, axes, data.shape().rank())?;
    node.constant("axes", &[axes.len()], axes)?;
    if gone.iter().any(|&axis| data.shape()[axis] != Dim::Fixed(1)) {
        return Err(node.bad_shape("data", data, format!("length 1 at the axes {axes:?}")));
    }
    let dims = data.shape().iter().enumerate();
    let kept = dims.filter(|(axis, _)| !gone.contains(axis));
    let shape = kept.map(|(_, dim)| dim.clone()).collect();
    node.finish(data.data_type(), shape)
}

/// The input with its axes in another order: axis `i` of the result is axis `perm[i]` of the input.
/// [Transpose](https://onnx.ai/onnx/operators/onnx__Transpose.html)
pub fn transpose(graph: &mut GraphBuilder, data: &Value, perm: &[usize]) -> Result<Value> {
    let mut node = Node::new(graph, "Transpose");
    node.input("data", data, ANY)?;
    let rank = data.shape().rank();
    let mut sorted = perm.to_vec();
    sorted.sort_unstable();
    if rank == 0 || !sorted.into_iter().eq(0..rank) {
        let allowed = format!("each of the {rank} axes once, and at least one axis");
        return Err(node.bad_attribute("perm", format!("{perm:?}"), allowed));
    }
    node.lengths("perm", perm, 0)?;
    let shape = perm
        .iter()
        .map(|&axis| data.shape()[axis].clone())
        .collect();
    node.finish(data.data_type(), shape)
}

/// The axes in `0..rank`; at least one, none twice.
fn distinct_axes(node: &Node<'_>, axes: &[i64], rank: usize) -> Result<Vec<usize>> {
    let mut resolved = Vec::with_capacity(axes.len());
    for &axis in axes {
        let axis = node.axis("axes", axis, rank)?;
        if resolved.contains(&axis) {
            return Err(node.bad_attribute("axes", format!("{axes:?}"), "each axis once"));
        }
        resolved.push(axis);
    }
    if axes.is_empty() {
        return Err(node.bad_attribute("axes", "[]", "at least one axis"));
    }
    Ok(resolved)
}

/// The shape that `target` makes of `from`, or `None` where it does not fit or cannot be proved to.
fn reshaped(from: &Shape, target: &[i64]) -> Option<Shape> {
    let mut dims = Vec::with_capacity(target.len());
    let mut inferred = None;
    for (axis, &length) in target.iter().enumerate() {
        dims.push(match length {
            0 => from.get(axis)?.clone(),
            -1 if inferred.is_none() => {
                inferred = Some(axis);
                Dim::Fixed(1)
            }
            _ => Dim::Fixed(usize::try_from(length).ok()?),
        });
    }
    let (from_fixed, mut rest) = volume(from);
    let (to_fixed, to_symbols) = volume(&dims);
    for symbol in to_symbols {
        let at = rest.iter().position(|name| *name == symbol)?;
        rest.remove(at);
    }
    if from_fixed % to_fixed != 0 {
        return None;
    }
    let left = match (from_fixed / to_fixed, rest.as_slice()) {
        (fixed, []) => Dim::Fixed(usize::try_from(fixed).ok()?),
        (1, [symbol]) => Dim::symbol(symbol),
        _ => return None,
    };
    match inferred {
        Some(axis) => dims[axis] = left,
        None if left == Dim::Fixed(1) => {}
        None => return None,
    }
    Some(dims.into())
}
