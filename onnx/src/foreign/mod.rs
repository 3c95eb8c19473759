//! A model that another program wrote: its graph is carried through as it is, between steps that
//! are added before its inputs and after its outputs.

mod adapt;
mod check;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use prost::Message as _;

pub use self::adapt::Normalisation;
use crate::proto::{GraphProto, ModelProto, NodeProto};

/// Operators that give the numbers of their first input, in another type, shape or range.
const PASSING: [&str; 8] = [
    "Cast",
    "Clip",
    "Dropout",
    "Flatten",
    "Identity",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
];
/// The operator sets that are taken.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=23;
/// The newest version of the file format that is taken.
const NEWEST_IR: i64 = 13;
/// From this version on, constants need not be listed among the inputs.
const IR_OF_FREE_CONSTANTS: i64 = 4;

/// A model that another program wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignModel {
    model: ModelProto,
    /// Every name of a value or node.
    names: HashSet<String>,
}

/// Why a file, or a change of its graph, is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForeignError {
    /// Not an ONNX model.
    #[error("not an ONNX model: {0}")]
    Decode(#[from] prost::DecodeError),
    /// A value that is not taken.
    #[error("{field}: {found}; {allowed}")]
    Field {
        /// Where it stands.
        field: String,
        /// What came.
        found: String,
        /// What is allowed.
        allowed: String,
    },
}

impl ForeignModel {
    /// Reads the bytes of an `.onnx` file.
    ///
    /// Constants that are listed among the inputs, as files of IR version 3 do, become plain
    /// constants.
    ///
    /// # Errors
    /// The bytes are no model, its IR version is above 13 or its operator set not one of 7 to 23,
    /// an operator is of a domain other than ONNX's own, or elements are in other files.
    pub fn read(bytes: &[u8]) -> Result<Self, ForeignError> {
        let mut model = ModelProto::decode(bytes)?;
        check::check(&model)?;
        model.ir_version = model.ir_version.max(IR_OF_FREE_CONSTANTS);
        let graph = model.graph.get_or_insert_default();
        let constants = graph.initializer.iter().map(|it| it.name.clone());
        let constants: HashSet<String> = constants.collect();
        graph.input.retain(|input| !constants.contains(&input.name));
        let names = names(&model);
        Ok(Self { model, names })
    }

    /// The graph's own name; may be empty.
    pub fn name(&self) -> &str {
        &self.graph().name
    }

    /// The program that wrote the file, and its version, as far as the file says so.
    pub fn producer(&self) -> String {
        let ModelProto {
            producer_name,
            producer_version,
            ..
        } = &self.model;
        format!("{producer_name} {producer_version}")
            .trim()
            .to_owned()
    }

    /// The version of ONNX's own operators.
    pub fn opset(&self) -> i64 {
        check::opset(&self.model)
    }

    /// Names of the inputs that a caller must give, in the graph's order.
    pub fn inputs(&self) -> impl Iterator<Item = &str> {
        self.graph().input.iter().map(|it| it.name.as_str())
    }

    /// Names of the outputs, in the graph's order.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        self.graph().output.iter().map(|it| it.name.as_str())
    }

    /// The operator that makes a value, before those that only pass its numbers on in another type,
    /// shape or range, such as Cast, Reshape and Clip.
    pub fn operator_of(&self, value: &str) -> Option<&str> {
        let nodes = &self.graph().node;
        let made = |value: &str| {
            let makes = |node: &&NodeProto| node.output.iter().any(|it| it == value);
            nodes.iter().find(makes)
        };
        let mut node = made(value)?;
        // A broken file may go in circles.
        for _ in 0..nodes.len() {
            let passes_on = PASSING.contains(&node.op_type.as_str());
            let Some(before) = node.input.first().filter(|_| passes_on) else {
                break;
            };
            let Some(earlier) = made(before) else { break };
            node = earlier;
        }
        Some(&node.op_type)
    }

    /// Numbers in the constants: the parameters of a network, and a few more.
    pub fn constant_elements(&self) -> u64 {
        let constants = self.graph().initializer.iter();
        let sizes = constants.map(|it| it.dims.iter().map(|&dim| dim.max(0) as u64));
        let elements = sizes.map(|dims| dims.fold(1, u64::saturating_mul));
        elements.fold(0, u64::saturating_add)
    }

    /// The bytes of an `.onnx` file.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.model.encode_to_vec()
    }

    fn graph(&self) -> &GraphProto {
        self.model.graph.as_ref().expect("reading has put one")
    }

    fn graph_mut(&mut self) -> &mut GraphProto {
        self.model.graph.get_or_insert_default()
    }
}

/// Every name of a value or node. Branches see the values of the graph around them, so theirs
/// count.
fn names(model: &ModelProto) -> HashSet<String> {
    let mut names = HashSet::new();
    for graph in check::graphs(model) {
        names.extend(graph.input.iter().map(|it| it.name.clone()));
        names.extend(graph.initializer.iter().map(|it| it.name.clone()));
        let sparse = graph.sparse_initializer.iter();
        names.extend(sparse.filter_map(|it| Some(it.values.as_ref()?.name.clone())));
        for node in &graph.node {
            names.insert(node.name.clone());
            names.extend(node.output.iter().cloned());
        }
    }
    names
}

impl ForeignError {
    fn field(field: impl Into<String>, found: impl Into<String>, allowed: &str) -> Self {
        Self::Field {
            field: field.into(),
            found: found.into(),
            allowed: allowed.to_owned(),
        }
    }
}
