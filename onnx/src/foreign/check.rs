//! What is refused of a foreign file, by name.

use std::collections::HashSet;

use super::{ForeignError, NEWEST_IR, OPSETS};
use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto,
};

/// The domains of ONNX's own operators.
const DOMAINS: [&str; 3] = ["", "ai.onnx", "ai.onnx.ml"];
/// `TensorProto.DataLocation`: the elements are in another file.
const EXTERNAL: i32 = 1;

type Checked = Result<(), ForeignError>;

/// Checks versions, domains and where the elements are.
pub(super) fn check(model: &ModelProto) -> Checked {
    let ir = model.ir_version;
    if !(1..=NEWEST_IR).contains(&ir) {
        let allowed = format!("1 to {NEWEST_IR} are allowed");
        return Err(ForeignError::field(
            "ir_version",
            format!("is {ir}"),
            &allowed,
        ));
    }
    let opset = opset(model);
    if !OPSETS.contains(&opset) {
        let allowed = format!("{} to {} are allowed", OPSETS.start(), OPSETS.end());
        let found = format!("is {opset}");
        return Err(ForeignError::field("opset_import", found, &allowed));
    }
    if model.graph.is_none() {
        return Err(ForeignError::field(
            "graph",
            "is missing",
            "a model has one",
        ));
    }
    let functions = model.functions.iter();
    let defined = functions.map(|it| (it.domain.as_str(), it.name.as_str()));
    let defined: HashSet<(&str, &str)> = defined.collect();
    let graphs = graphs(model);
    let nodes = graphs.iter().flat_map(|it| &it.node).chain(bodies(model));
    for node in nodes {
        domain(node, &defined)?;
        for attribute in &node.attribute {
            tensors_of(attribute).try_for_each(internal)?;
        }
    }
    let defaults = model.functions.iter().flat_map(|it| &it.attribute_proto);
    defaults.flat_map(tensors_of).try_for_each(internal)?;
    for graph in graphs {
        let sparse = sparse_tensors(&graph.sparse_initializer);
        graph
            .initializer
            .iter()
            .chain(sparse)
            .try_for_each(internal)?;
    }
    Ok(())
}

/// The version of ONNX's own operators; 0 if the file names none.
pub(super) fn opset(model: &ModelProto) -> i64 {
    let mut imports = model.opset_import.iter();
    let own = imports.find(|it| matches!(it.domain.as_str(), "" | "ai.onnx"));
    own.map_or(0, |it| it.version)
}

/// The model's graph, and those within nodes: branches and the bodies of loops.
pub(super) fn graphs(model: &ModelProto) -> Vec<&GraphProto> {
    let mut found: Vec<&GraphProto> = model.graph.iter().collect();
    found.extend(bodies(model).flat_map(graphs_within));
    let mut next = 0;
    while let Some(graph) = found.get(next) {
        let within = graph.node.iter().flat_map(graphs_within);
        found.extend(within.collect::<Vec<_>>());
        next += 1;
    }
    found
}

/// The nodes of the functions that the file defines.
fn bodies(model: &ModelProto) -> impl Iterator<Item = &NodeProto> {
    model.functions.iter().flat_map(|it| &it.node)
}

fn graphs_within(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    let attributes = node.attribute.iter();
    attributes.flat_map(|it| it.g.iter().chain(&it.graphs))
}

fn tensors_of(attribute: &AttributeProto) -> impl Iterator<Item = &TensorProto> {
    let sparse = attribute.sparse_tensor.iter();
    let sparse = sparse_tensors(sparse.chain(&attribute.sparse_tensors));
    attribute.t.iter().chain(&attribute.tensors).chain(sparse)
}

/// The values and the indices of sparse tensors.
fn sparse_tensors<'a>(
    sparse: impl IntoIterator<Item = &'a SparseTensorProto>,
) -> impl Iterator<Item = &'a TensorProto> {
    let sparse = sparse.into_iter();
    sparse.flat_map(|it| it.values.iter().chain(&it.indices))
}

fn domain(node: &NodeProto, defined: &HashSet<(&str, &str)>) -> Checked {
    let NodeProto {
        name,
        op_type,
        domain,
        ..
    } = node;
    let known = DOMAINS.contains(&domain.as_str())
        || defined.contains(&(domain.as_str(), op_type.as_str()));
    if known {
        return Ok(());
    }
    let field = format!("node `{name}`");
    let found = format!("is operator {op_type} of domain {domain}");
    let allowed = "ai.onnx and ai.onnx.ml are allowed, and functions of the file itself";
    Err(ForeignError::field(field, found, allowed))
}

fn internal(tensor: &TensorProto) -> Checked {
    if tensor.data_location != EXTERNAL && tensor.external_data.is_empty() {
        return Ok(());
    }
    let mut entries = tensor.external_data.iter();
    let location = entries.find(|it| it.key == "location");
    let file = location.map_or("another file", |it| it.value.as_str());
    let found = format!("has its elements in {file:?}");
    let allowed = "one file must hold the whole model; \
                   onnx.save(onnx.load(FILE), FILE, save_as_external_data=False) writes it so";
    Err(ForeignError::field(
        format!("tensor `{}`", tensor.name),
        found,
        allowed,
    ))
}
