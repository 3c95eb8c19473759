//! Each rule of the check, broken by hand.

use expect_test::{Expect, expect};

use super::check;
use crate::proto::{GraphProto, ModelProto, ValueInfoProto};
use crate::{DataType, Dim, GraphBuilder, ops};

/// `y = relu(x + w)`, as the builder writes it.
fn model() -> ModelProto {
    let mut g = GraphBuilder::new("sound");
    let x = g
        .input("x", DataType::Float32, [Dim::symbol("N"), 2.into()])
        .unwrap();
    let w = g.initializer_f32("w", &[2], &[1.0, 2.0]).unwrap();
    let sum = ops::add(&mut g, &x, &w).unwrap();
    let y = ops::relu(&mut g, &sum).unwrap();
    g.output("y", &y).unwrap();
    g.build(&[("a", "1"), ("b", "2")]).unwrap().proto().clone()
}

#[track_caller]
fn refused(break_it: impl FnOnce(&mut ModelProto), expected: &Expect) {
    let mut model = model();
    break_it(&mut model);
    expected.assert_eq(&check(&model).unwrap_err().to_string());
}

#[track_caller]
fn refused_graph(break_it: impl FnOnce(&mut GraphProto), expected: &Expect) {
    refused(|model| break_it(model.graph.as_mut().unwrap()), expected);
}

#[test]
fn a_sound_model_passes() {
    assert_eq!(check(&model()), Ok(()));
}

#[test]
fn versions_are_fixed() {
    refused(
        |model| model.ir_version = 7,
        &expect!["ir_version is 7, allowed: 8"],
    );
    refused(
        |model| model.opset_import[0].version = 21,
        &expect![[r#"opset_import is [("", 21)], allowed: 17"#]],
    );
    refused(
        |model| model.opset_import.clear(),
        &expect!["opset_import is [], allowed: 17"],
    );
}

#[test]
fn a_graph_has_a_name_and_outputs() {
    refused(
        |model| model.graph = None,
        &expect!["the graph has no name"],
    );
    refused_graph(
        |graph| graph.name.clear(),
        &expect!["the graph has no name"],
    );
    refused_graph(
        |graph| graph.output.clear(),
        &expect!["graph `sound` has no outputs"],
    );
}

#[test]
fn names_are_unique() {
    refused(
        |model| model.metadata_props[1].key = "a".to_owned(),
        &expect!["two metadata keys are named `a`"],
    );
    refused(
        |model| model.metadata_props[1].key.clear(),
        &expect!["one of the metadata keys has an empty name"],
    );
    refused_graph(
        |graph| graph.node[1].name = "Add_0".to_owned(),
        &expect!["two nodes are named `Add_0`"],
    );
    refused_graph(
        |graph| graph.initializer[0].name = "x".to_owned(),
        &expect!["two values are named `x`"],
    );
    refused_graph(
        |graph| graph.node[1].output[0] = "x".to_owned(),
        &expect!["two values are named `x`"],
    );
    refused_graph(
        |graph| graph.output.push(graph.output[0].clone()),
        &expect!["two outputs are named `y`"],
    );
}

#[test]
fn values_are_made_before_they_are_read() {
    refused_graph(
        |graph| graph.node.swap(0, 1),
        &expect!["node `Relu_0` reads `Add_0`, which nothing before it makes"],
    );
    refused_graph(
        |graph| graph.node[0].input[1] = "missing".to_owned(),
        &expect!["node `Add_0` reads `missing`, which nothing before it makes"],
    );
    refused_graph(
        |graph| graph.output[0].name = "missing".to_owned(),
        &expect!["the graph's output reads `missing`, which nothing before it makes"],
    );
}

#[test]
fn nothing_dangles() {
    refused_graph(
        |graph| graph.output[0].name = "Add_0".to_owned(),
        &expect!["node `Relu_0` is dangling: no output needs it"],
    );
    refused_graph(
        |graph| graph.node[0].input[1] = "x".to_owned(),
        &expect!["initializer `w` is dangling: no output needs it"],
    );
    refused_graph(
        |graph| {
            graph.input.push(ValueInfoProto {
                name: "z".to_owned(),
                r#type: None,
            });
        },
        &expect!["input `z` is dangling: no output needs it"],
    );
}
