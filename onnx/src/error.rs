//! What can be wrong with a graph.

use crate::check::CheckError;
use crate::data_type::DataType;
use crate::shape::Shape;

/// What a call of the builder or of an operator gives.
pub type Result<T> = std::result::Result<T, GraphError>;

/// Why a graph could not be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// A node's inputs or attributes do not fit its operator.
    #[error("{op} node `{node}`: {kind}")]
    Node {
        /// The operator.
        op: &'static str,
        /// The name that the node would have had.
        node: String,
        /// What did not fit.
        kind: Box<NodeError>,
    },
    /// A name is empty.
    #[error("{what} has an empty name")]
    EmptyName {
        /// What was to be named.
        what: &'static str,
    },
    /// A name is taken.
    #[error("the name `{name}` is already in use")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A shape cannot be used.
    #[error("`{name}` has the shape {shape}, which has {flaw}")]
    Shape {
        /// The input or initializer.
        name: String,
        /// The shape that came.
        shape: Shape,
        /// What is wrong with it.
        flaw: &'static str,
    },
    /// An initializer's data does not fill its shape.
    #[error("initializer `{name}` has {actual} elements, but its shape {shape} needs {expected}")]
    Length {
        /// The initializer.
        name: String,
        /// Its shape.
        shape: Shape,
        /// Elements that came.
        actual: usize,
        /// Elements that the shape needs.
        expected: u128,
    },
    /// A finite weight lies outside float16's range, ±65504.
    #[error(
        "initializer `{name}` holds {value} at index {index}, which float16 (±65504) cannot hold"
    )]
    Float16Range {
        /// The initializer.
        name: String,
        /// Where in the data.
        index: usize,
        /// The weight.
        value: f32,
    },
    /// A graph output was asked for a value of another graph.
    #[error("output `{name}`: the value `{value}` belongs to another graph")]
    ForeignOutput {
        /// The output.
        name: String,
        /// The value.
        value: String,
    },
    /// A graph output must be made by a node, and can be given out once.
    #[error(
        "output `{name}`: `{value}` is {what}; an output must be a node's result, given out once"
    )]
    Output {
        /// The output.
        name: String,
        /// The value.
        value: String,
        /// What the value is already.
        what: &'static str,
    },
    /// The finished graph is not well formed.
    #[error(transparent)]
    Check(#[from] CheckError),
}

/// Why a node's inputs or attributes do not fit its operator.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// An input belongs to another graph.
    #[error("input {input} (`{value}`) belongs to another graph")]
    ForeignValue {
        /// The input's name in the operator's specification.
        input: &'static str,
        /// The value that came.
        value: String,
    },
    /// An input has an element type that the operator does not take.
    #[error("input {input} (`{value}`) is {actual}, allowed: {}", list(allowed))]
    DataType {
        /// The input's name in the operator's specification.
        input: &'static str,
        /// The value that came.
        value: String,
        /// Its element type.
        actual: DataType,
        /// The types that the operator takes here.
        allowed: Vec<DataType>,
    },
    /// An input has a shape that the operator does not take.
    #[error("input {input} (`{value}`) has the shape {actual}, allowed: {allowed}")]
    Shape {
        /// The input's name in the operator's specification.
        input: &'static str,
        /// The value that came.
        value: String,
        /// Its shape.
        actual: Shape,
        /// The shapes that fit, in words.
        allowed: String,
    },
    /// Two shapes do not broadcast to one.
    #[error(
        "shapes {left} and {right} do not broadcast; allowed: equal axes, or one of the two is 1"
    )]
    Broadcast {
        /// The first input's shape.
        left: Shape,
        /// The second input's shape.
        right: Shape,
    },
    /// An attribute has a value that the operator, or this crate, does not take.
    #[error("attribute {attribute} is {actual}, allowed: {allowed}")]
    Attribute {
        /// The attribute's name in the operator's specification.
        attribute: &'static str,
        /// The value that came.
        actual: String,
        /// The values that fit, in words.
        allowed: String,
    },
    /// The result would have a shape that cannot be used.
    #[error("the result's shape {shape} has {flaw}")]
    Result {
        /// The shape.
        shape: Shape,
        /// What is wrong with it.
        flaw: &'static str,
    },
}

fn list(types: &[DataType]) -> String {
    let names: Vec<_> = types.iter().map(|it| it.as_str()).collect();
    names.join(", ")
}
