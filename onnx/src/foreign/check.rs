//! What is refused of a foreign file, by name.

use std::collections::HashSet;

use super::{ForeignError, NEWEST_IR, OPSETS};
use crate::proto::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};

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
    let Some(graph) = &model.graph else {
        return Err(ForeignError::field(
            "graph",
            "is missing",
            "a model has one",
        ));
    };
    let functions = model.functions.iter();
    let defined = functions.map(|it| (it.domain.as_str(), it.name.as_str()));
    let defined: HashSet<(&str, &str)> = defined.collect();
    let mut result = Ok(());
    let mut keep_first = |checked: Checked| {
        if result.is_ok() {
            result = checked;
        }
    };
    let mut node = |node: &NodeProto| {
        keep_first(domain(node, &defined));
        for attribute in &node.attribute {
            tensors_of(attribute, &mut |tensor| keep_first(internal(tensor)));
        }
    };
    visit_nodes(graph, &mut node);
    for function in &model.functions {
        visit(&function.node, &mut node);
    }
    visit_graphs(graph, &mut |graph| {
        let sparse = graph.sparse_initializer.iter();
        let sparse = sparse.flat_map(|it| it.values.iter().chain(&it.indices));
        for tensor in graph.initializer.iter().chain(sparse) {
            keep_first(internal(tensor));
        }
    });
    result
}

/// The version of ONNX's own operators; 0 if the file names none.
pub(super) fn opset(model: &ModelProto) -> i64 {
    let mut imports = model.opset_import.iter();
    let own = imports.find(|it| matches!(it.domain.as_str(), "" | "ai.onnx"));
    own.map_or(0, |it| it.version)
}

/// Shows every node of a graph, those of branches and loops included.
pub(super) fn visit_nodes(graph: &GraphProto, see: &mut impl FnMut(&NodeProto)) {
    visit_graphs(graph, &mut |graph| graph.node.iter().for_each(&mut *see));
}

fn visit_graphs(graph: &GraphProto, see: &mut dyn FnMut(&GraphProto)) {
    see(graph);
    for attribute in graph.node.iter().flat_map(|node| &node.attribute) {
        for inner in attribute.g.iter().chain(&attribute.graphs) {
            visit_graphs(inner, see);
        }
    }
}

fn visit(nodes: &[NodeProto], see: &mut dyn FnMut(&NodeProto)) {
    for node in nodes {
        see(node);
        for attribute in &node.attribute {
            for inner in attribute.g.iter().chain(&attribute.graphs) {
                visit(&inner.node, see);
            }
        }
    }
}

fn tensors_of(attribute: &AttributeProto, see: &mut dyn FnMut(&TensorProto)) {
    let sparse = attribute
        .sparse_tensor
        .iter()
        .chain(&attribute.sparse_tensors);
    let sparse = sparse.flat_map(|it| it.values.iter().chain(&it.indices));
    let tensors = attribute.t.iter().chain(&attribute.tensors);
    tensors.chain(sparse).for_each(see);
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
