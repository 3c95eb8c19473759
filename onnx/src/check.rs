//! The check that every model passes before it leaves the builder.

use std::collections::HashSet;

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
    check_versions(model)?;
    let graph = model
        .graph
        .as_ref()
        .filter(|graph| !graph.name.is_empty())
        .ok_or(CheckError::NoName)?;
    if graph.output.is_empty() {
        return Err(CheckError::NoOutputs {
            graph: graph.name.clone(),
        });
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

fn check_versions(model: &ModelProto) -> Result<(), CheckError> {
    if model.ir_version != IR_VERSION {
        let actual = model.ir_version.to_string();
        return Err(CheckError::Version {
            field: "ir_version",
            actual,
            allowed: IR_VERSION,
        });
    }
    let opsets: Vec<_> = model
        .opset_import
        .iter()
        .map(|opset| (opset.domain.as_str(), opset.version))
        .collect();
    if opsets != [("", OPSET)] {
        let actual = format!("{opsets:?}");
        return Err(CheckError::Version {
            field: "opset_import",
            actual,
            allowed: OPSET,
        });
    }
    Ok(())
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
            return Err(CheckError::DuplicateName {
                what,
                name: name.clone(),
            });
        }
    }
    Ok(())
}

/// Every value is made once, and before it is read.
fn check_order(graph: &GraphProto) -> Result<(), CheckError> {
    let given = graph.input.iter().map(|input| &input.name);
    let constant = graph
        .initializer
        .iter()
        .map(|initializer| &initializer.name);
    unique("values", given.clone().chain(constant.clone()))?;

    let mut made: HashSet<&String> = given.chain(constant).collect();
    for node in &graph.node {
        let present = |names: &&String| !names.is_empty();
        if let Some(value) = node
            .input
            .iter()
            .filter(present)
            .find(|name| !made.contains(name))
        {
            let reader = format!("node `{}`", node.name);
            return Err(CheckError::Undefined {
                reader,
                value: value.clone(),
            });
        }
        for name in node.output.iter().filter(present) {
            if !made.insert(name) {
                return Err(CheckError::DuplicateName {
                    what: "values",
                    name: name.clone(),
                });
            }
        }
    }
    match graph
        .output
        .iter()
        .find(|output| !made.contains(&output.name))
    {
        Some(output) => Err(CheckError::Undefined {
            reader: "the graph's output".to_owned(),
            value: output.name.clone(),
        }),
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
    let initializer = graph
        .initializer
        .iter()
        .map(|initializer| &initializer.name)
        .find(unread);
    dangling
        .or(input.map(|name| ("input", name)))
        .or(initializer.map(|name| ("initializer", name)))
        .map_or(Ok(()), |(what, name)| {
            Err(CheckError::Dangling {
                what,
                name: name.clone(),
            })
        })
}

#[cfg(test)]
mod tests;
