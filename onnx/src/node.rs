//! One node while it is being made: its inputs are checked as they are added.
//!
//! Nothing reaches the graph before `finish`, so a refused node leaves the graph as it was.

use std::fmt::Display;

use crate::data_type::DataType;
use crate::error::{GraphError, Result};
use crate::graph::GraphBuilder;
use crate::proto::{AttributeProto, NodeProto, TensorProto};
use crate::shape::Shape;
use crate::tensor::{Element, tensor};
use crate::value::Value;

/// A node that is not in the graph yet.
pub(crate) struct Node<'g> {
    graph: &'g mut GraphBuilder,
    op: &'static str,
    proto: NodeProto,
    constants: Vec<TensorProto>,
}

impl<'g> Node<'g> {
    pub(crate) fn new(graph: &'g mut GraphBuilder, op: &'static str) -> Self {
        let proto = NodeProto {
            name: graph.next_node_name(op),
            op_type: op.to_owned(),
            ..NodeProto::default()
        };
        Self {
            graph,
            op,
            proto,
            constants: Vec::new(),
        }
    }

    /// Adds the input that the operator's specification calls `input`.
    pub(crate) fn input(
        &mut self,
        input: &'static str,
        value: &Value,
        allowed: &[DataType],
    ) -> Result<()> {
        if !self.graph.owns(value) {
            let name = value.name();
            return Err(self.refuse(format!("input {input} (`{name}`) belongs to another graph")));
        }
        if !allowed.contains(&value.data_type()) {
            let (name, actual) = (value.name(), value.data_type());
            let allowed: Vec<_> = allowed.iter().map(|it| it.as_str()).collect();
            let allowed = allowed.join(", ");
            let reason = format!("input {input} (`{name}`) is {actual}, allowed: {allowed}");
            return Err(self.refuse(reason));
        }
        self.proto.input.push(value.name().to_owned());
        Ok(())
    }

    /// Adds an optional input, or leaves it out.
    pub(crate) fn optional_input(
        &mut self,
        input: &'static str,
        value: Option<&Value>,
        allowed: &[DataType],
    ) -> Result<()> {
        if let Some(value) = value {
            return self.input(input, value, allowed);
        }
        self.proto.input.push(String::new());
        Ok(())
    }

    /// Adds an input that is a small constant of the node's own, such as a shape or a bound.
    pub(crate) fn constant<T: Element>(
        &mut self,
        input: &'static str,
        shape: &[usize],
        data: &[T],
    ) -> Result<()> {
        let name = self.graph.fresh(&format!("{}.{input}", self.proto.name));
        self.constants.push(tensor(&name, shape, data)?);
        self.proto.input.push(name);
        Ok(())
    }

    /// Sets an attribute.
    pub(crate) fn attribute(&mut self, name: &str, value: impl Into<AttributeProto>) {
        let name = name.to_owned();
        let value = value.into();
        self.proto.attribute.push(AttributeProto { name, ..value });
    }

    /// Sets an attribute to a list of lengths, each of which must lie in `least..=i32::MAX`.
    pub(crate) fn lengths(
        &mut self,
        attribute: &'static str,
        lengths: &[usize],
        least: usize,
    ) -> Result<()> {
        let allowed = least..=i32::MAX as usize;
        if !lengths.iter().all(|length| allowed.contains(length)) {
            let allowed = format!("{least} to {}", i32::MAX);
            return Err(self.bad_attribute(attribute, format!("{lengths:?}"), allowed));
        }
        let lengths: Vec<_> = lengths.iter().map(|&length| length as i64).collect();
        self.attribute(attribute, lengths);
        Ok(())
    }

    /// Refuses an input's shape.
    pub(crate) fn bad_shape(
        &self,
        input: &'static str,
        value: &Value,
        allowed: impl Display,
    ) -> GraphError {
        let (name, actual) = (value.name(), value.shape());
        self.refuse(format!(
            "input {input} (`{name}`) has the shape {actual}, allowed: {allowed}"
        ))
    }

    /// Refuses an attribute's value.
    pub(crate) fn bad_attribute(
        &self,
        attribute: &'static str,
        actual: impl Display,
        allowed: impl Display,
    ) -> GraphError {
        self.refuse(format!(
            "attribute {attribute} is {actual}, allowed: {allowed}"
        ))
    }

    /// The shape that inputs broadcast to.
    pub(crate) fn broadcast(&self, values: &[&Value]) -> Result<Shape> {
        let shapes = values.iter().map(|value| value.shape());
        let joined = shapes
            .clone()
            .try_fold(Shape::default(), |joined, shape| joined.broadcast(shape));
        joined.ok_or_else(|| {
            let shapes: Vec<_> = shapes.map(Shape::to_string).collect();
            let shapes = shapes.join(" and ");
            let allowed = "equal axes, or one of the two is 1";
            self.refuse(format!(
                "shapes {shapes} do not broadcast; allowed: {allowed}"
            ))
        })
    }

    /// Names the node in an error.
    pub(crate) fn refuse(&self, reason: String) -> GraphError {
        let (op, node) = (self.op, self.proto.name.clone());
        GraphError::Node { op, node, reason }
    }

    /// Resolves `axis`, which counts from the end when negative, into `0..rank`.
    pub(crate) fn axis(&self, attribute: &'static str, axis: i64, rank: usize) -> Result<usize> {
        let rank = rank as i64;
        let from_start = if axis < 0 { rank } else { 0 };
        let resolved = axis.saturating_add(from_start);
        if (0..rank).contains(&resolved) {
            return Ok(resolved as usize);
        }
        let allowed = match rank {
            0 => "none, a scalar has no axes".to_owned(),
            _ => format!("-{rank} to {} for rank {rank}", rank - 1),
        };
        Err(self.bad_attribute(attribute, axis, allowed))
    }

    /// Puts a node with one output into the graph. The output has the node's name.
    pub(crate) fn finish(self, data_type: DataType, shape: Shape) -> Result<Value> {
        let name = self.proto.name.clone();
        let [value] = self.finish_named([(name, data_type, shape)])?;
        Ok(value)
    }

    /// Puts a node with several outputs into the graph, named `<node>.<output>`.
    pub(crate) fn finish_all<const N: usize>(
        self,
        outputs: [(&str, DataType, Shape); N],
    ) -> Result<[Value; N]> {
        let node = self.proto.name.clone();
        let outputs = outputs.map(|(output, data_type, shape)| {
            let name = self.graph.fresh(&format!("{node}.{output}"));
            (name, data_type, shape)
        });
        self.finish_named(outputs)
    }

    fn finish_named<const N: usize>(
        mut self,
        outputs: [(String, DataType, Shape); N],
    ) -> Result<[Value; N]> {
        for (_, _, shape) in &outputs {
            if let Some(flaw) = shape.flaw() {
                return Err(self.refuse(format!("the result's shape {shape} has {flaw}")));
            }
        }
        // Optional inputs at the end are left out by leaving them off.
        while self.proto.input.pop_if(|name| name.is_empty()).is_some() {}
        let Self {
            op,
            proto,
            constants,
            ..
        } = self;
        Ok(self.graph.push(op, proto, constants, outputs))
    }
}
