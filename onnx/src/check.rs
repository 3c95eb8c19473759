//! The check that every graph passes before it leaves the builder.
//!
//! That names are unique, and that values are made before they are read, holds by construction:
//! [`GraphBuilder`](crate::GraphBuilder) reserves each name, and takes only values that it made.

use std::collections::HashSet;

use crate::error::{GraphError, Result};
use crate::proto::{GraphProto, StringStringEntryProto};

/// Checks names, outputs and use.
pub(crate) fn check(graph: &GraphProto, metadata: &[StringStringEntryProto]) -> Result<()> {
    if graph.name.is_empty() {
        return refuse("the graph has no name".to_owned());
    }
    if graph.output.is_empty() {
        return refuse(format!("graph `{}` has no outputs", graph.name));
    }
    let mut keys = HashSet::new();
    for StringStringEntryProto { key, .. } in metadata {
        if key.is_empty() {
            return refuse("one of the metadata keys has an empty name".to_owned());
        }
        if !keys.insert(key) {
            return refuse(format!("two metadata keys are named `{key}`"));
        }
    }
    check_use(graph)
}

/// Every input, initializer and node is needed by an output.
fn check_use(graph: &GraphProto) -> Result<()> {
    let mut needed: HashSet<&String> = graph.output.iter().map(|output| &output.name).collect();
    let mut dangling = None;
    for node in graph.node.iter().rev() {
        if node.output.iter().any(|name| needed.contains(name)) {
            needed.extend(node.input.iter().filter(|name| !name.is_empty()));
        } else {
            dangling = Some(("node", &node.name));
        }
    }
    let inputs = graph.input.iter().map(|it| ("input", &it.name));
    let initializers = graph.initializer.iter();
    let initializers = initializers.map(|it| ("initializer", &it.name));
    let unread = inputs
        .chain(initializers)
        .find(|(_, name)| !needed.contains(name));
    match dangling.or(unread) {
        Some((what, name)) => refuse(format!("{what} `{name}` is dangling: no output needs it")),
        None => Ok(()),
    }
}

fn refuse(reason: String) -> Result<()> {
    Err(GraphError::Graph(reason))
}
