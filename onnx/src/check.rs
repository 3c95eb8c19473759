//! The check that every model passes before it leaves the builder.

use std::collections::HashSet;
use std::fmt::Debug;

use crate::model::{IR_VERSION, OPSET};
use crate::proto::{GraphProto, ModelProto};

/// Why a finished graph is not well formed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The file format or operator set is not the one that the operators were written for.
    #[error("{field} is {actual}, allowed: {allowed}")]
    Version {
        /// `ir_version` or `opset_import`.
        field: &'static str,
        /// What came.
        actual: String,
        /// What is allowed.
        allowed: i64,
    },
    /// The model holds no graph, or the graph has no name.
    #[error("the graph has no name")]
    NoName,
    /// The graph has no outputs.
    #[error("graph `{graph}` has no outputs")]
    NoOutputs {
        /// The graph.
        graph: String,
    },
    /// Two values, two nodes or two facts share a name.
    #[error("two {what} are named `{name}`")]
    DuplicateName {
        /// What shares the name.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Something has an empty name.
    #[error("one of the {what} has an empty name")]
    EmptyName {
        /// What kind of thing has no name, in the plural.
        what: &'static str,
    },
    /// A value is read before anything makes it.
    #[error("{reader} reads `{value}`, which nothing before it makes")]
    Undefined {
        /// The node or output that reads it.
        reader: String,
        /// The value.
        value: String,
    },
    /// No output needs this.
    #[error("{what} `{name}` is dangling: no output needs it")]
    Dangling {
        /// An input, an initializer or a node.
        what: &'static str,
        /// Its name.
        name: String,
    },
}

/// Checks versions, names, order and use.
pub(crate) fn check(model: &ModelProto) -> Result<(), CheckError> {
    check_version("ir_version", &model.ir_version, &IR_VERSION, IR_VERSION)?;
    let opsets = model.opset_import.iter();
    let opsets: Vec<_> = opsets.map(|it| (it.domain.as_str(), it.version)).collect();
    check_version("opset_import", &opsets, &vec![("", OPSET)], OPSET)?;
    let graph = model.graph.as_ref().filter(|graph| !graph.name.is_empty());
    let graph = graph.ok_or(CheckError::NoName)?;
    if graph.output.is_empty() {
        let graph = graph.name.clone();
        return Err(CheckError::NoOutputs { graph });
    }
    unique(
        "metadata keys",
        model.metadata_props.iter().map(|entry| &entry.key),
    )?;
    unique("nodes", graph.node.iter().map(|node| &node.name))?;
    unique("outputs", graph.output.iter().map(|output| &output.name))?;
    check_order(graph)?;
    check_use(graph)
}

fn check_version<T: PartialEq + Debug>(
    field: &'static str,
    actual: &T,
    expected: &T,
    allowed: i64,
) -> Result<(), CheckError> {
    if actual == expected {
        return Ok(());
    }
    let actual = format!("{actual:?}");
    Err(CheckError::Version {
        field,
        actual,
        allowed,
    })
}

fn unique<'a>(
    what: &'static str,
    names: impl Iterator<Item = &'a String>,
) -> Result<(), CheckError> {
    let mut seen = HashSet::new();
    for name in names {
        if name.is_empty() {
            return Err(CheckError::EmptyName { what });
        }
        if !seen.insert(name) {
            let name = name.clone();
            return Err(CheckError::DuplicateName { what, name });
        }
    }
    Ok(())
}

/// Every value is made once, and before it is read.
fn check_order(graph: &GraphProto) -> Result<(), CheckError> {
    let given = graph.input.iter().map(|input| &input.name);
    let constant = graph.initializer.iter().map(|constant| &constant.name);
    unique("values", given.clone().chain(constant.clone()))?;

    let undefined = |reader: String, value: &String| CheckError::Undefined {
        reader,
        value: value.clone(),
    };
    let mut made: HashSet<&String> = given.chain(constant).collect();
    for node in &graph.node {
        let present = |names: &&String| !names.is_empty();
        let mut inputs = node.input.iter().filter(present);
        if let Some(value) = inputs.find(|name| !made.contains(name)) {
            return Err(undefined(format!("node `{}`", node.name), value));
        }
        for name in node.output.iter().filter(present) {
            if !made.insert(name) {
                let (what, name) = ("values", name.clone());
                return Err(CheckError::DuplicateName { what, name });
            }
        }
    }
    let mut outputs = graph.output.iter().map(|output| &output.name);
    match outputs.find(|name| !made.contains(name)) {
        Some(value) => Err(undefined("the graph's output".to_owned(), value)),
        None => Ok(()),
    }
}

/// Every input, initializer and node is needed by an output.
fn check_use(graph: &GraphProto) -> Result<(), CheckError> {
    let mut needed: HashSet<&String> = graph.output.iter().map(|output| &output.name).collect();
    let mut dangling = None;
    for node in graph.node.iter().rev() {
        if node.output.iter().any(|name| needed.contains(name)) {
            needed.extend(node.input.iter().filter(|name| !name.is_empty()));
        } else {
            dangling = Some(("node", &node.name));
        }
    }
    let unread = |name: &&String| !needed.contains(name);
    let input = graph.input.iter().map(|input| &input.name).find(unread);
    let mut initializers = graph.initializer.iter().map(|constant| &constant.name);
    let dangling = dangling
        .or(input.map(|name| ("input", name)))
        .or(initializers.find(unread).map(|name| ("initializer", name)));
    match dangling {
        Some((what, name)) => {
            let name = name.clone();
            Err(CheckError::Dangling { what, name })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
