//! What the builder refuses, and in what words.

use expect_test::{Expect, expect};
use quintet_onnx::ops::{self, GemmAttributes};
use quintet_onnx::{DataType, Dim, GraphBuilder, Storage};

use crate::bench::{n, refused};

#[test]
fn types() {
    refused(
        &[
            &|t| {
                let x = t.value(DataType::Uint8, [n()]);
                ops::relu(&mut t.g, &x)
            },
            &|t| {
                let [a, b] = [DataType::Float32, DataType::Int64].map(|d| t.value(d, [n()]));
                ops::add(&mut t.g, &a, &b)
            },
            &|t| {
                let x = t.value(DataType::Float16, [2, 2]);
                ops::gemm(&mut t.g, &x, &x, None, GemmAttributes::default())
            },
            &|t| {
                let table = t.floats([3, 2]);
                ops::gather(&mut t.g, &table, &table, 0)
            },
        ],
        &expect![[r#"
            Relu node `Relu_0`: input X (`v1`) is uint8, allowed: float32
            Add node `Add_0`: input B (`v2`) is int64, allowed: float32
            Gemm node `Gemm_0`: input A (`v1`) is float16, allowed: float32
            Gather node `Gather_0`: input indices (`v1`) is float32, allowed: int32, int64
        "#]],
    );
}

#[test]
fn foreign_values() {
    let mut other = GraphBuilder::new("other");
    let foreign = other.input("x", DataType::Float32, [n()]).unwrap();
    refused(
        &[&|t| ops::relu(&mut t.g, &foreign), &|t| {
            t.g.output("y", &foreign).map(|()| foreign.clone())
        }],
        &expect![[r#"
            Relu node `Relu_0`: input X (`x`) belongs to another graph
            output `y`: the value `x` belongs to another graph
        "#]],
    );
}

#[test]
fn names_shapes_and_data() {
    refused(
        &[
            &|t| t.g.input("", DataType::Float32, [n()]),
            &|t| {
                t.floats([n()]);
                t.g.initializer("v1", &[1], &[0_u8])
            },
            &|t| t.g.input("x", DataType::Float32, [0]),
            &|t| t.g.input("x", DataType::Float32, [Dim::symbol("")]),
            &|t| t.g.input("x", DataType::Float32, [usize::MAX, 2]),
            &|t| t.g.initializer_f32("w", &[2, 3], &[0.0; 5]),
            &|t| t.g.initializer::<i64>("w", &[0], &[]),
            &|t| {
                t.g.set_storage(Storage::Float16);
                t.g.weight("w", &[2], 0, &[1.0, 70_000.0])
            },
            &|t| {
                t.g.set_storage(Storage::Int8);
                t.g.weight("w", &[1, 2], 0, &[1.0, f32::INFINITY])
            },
            &|t| {
                t.g.set_storage(Storage::Int8);
                t.g.weight("w", &[2, 2], 0, &[1.0; 3])
            },
            &|t| t.g.weight("w", &[2, 2], 2, &[1.0; 4]),
            &|t| {
                let x = t.floats([n()]);
                let y = ops::relu(&mut t.g, &x)?;
                t.g.output("v1", &y).map(|()| y)
            },
            &|t| {
                let x = t.floats([n()]);
                t.g.output("y", &x).map(|()| x)
            },
            &|t| {
                let w = t.g.initializer_f32("w", &[1], &[0.0])?;
                t.g.output("y", &w).map(|()| w)
            },
            &|t| {
                let x = t.floats([n()]);
                let y = ops::relu(&mut t.g, &x)?;
                t.g.output("y", &y)?;
                t.g.output("again", &y).map(|()| y)
            },
        ],
        &expect![[r#"
            an input has an empty name
            the name `v1` is already in use
            `x` has the shape [0], which has an axis of length 0
            `x` has the shape [], which has a symbol without a name
            `x` has the shape [18446744073709551615, 2], which has more elements than fit an int64
            initializer `w` has 5 elements, but its shape [2, 3] needs 6
            `w` has the shape [0], which has an axis of length 0
            initializer `w` holds 70000 at index 1, which float16 (±65504) cannot hold
            initializer `w` holds inf at index 1, which int8 cannot hold
            initializer `w` has 3 elements, but its shape [2, 2] needs 4
            weight `w`: axis is 2, allowed: less than 2
            the name `v1` is already in use
            output `y`: `v1` is an input; an output must be a node's result, given out once
            output `y`: `w` is an initializer; an output must be a node's result, given out once
            output `again`: `Relu_0` is an output; an output must be a node's result, given out once
        "#]],
    );
}

#[test]
fn unfinished_graphs() {
    let refused = |g: GraphBuilder, metadata: &[_], expected: Expect| {
        expected.assert_eq(&g.build(metadata).unwrap_err().to_string());
    };
    // `y = relu(x)`.
    let whole = |name: &str| {
        let mut g = GraphBuilder::new(name);
        let x = g.input("x", DataType::Float32, [n()]).unwrap();
        let y = ops::relu(&mut g, &x).unwrap();
        g.output("y", &y).unwrap();
        (g, y)
    };
    let metadata = [("a", "1"), ("b", "2")];
    assert!(whole("whole").0.build(&metadata).is_ok());

    refused(whole("").0, &[], expect!["the graph has no name"]);
    let empty = GraphBuilder::new("empty");
    refused(empty, &[], expect!["graph `empty` has no outputs"]);
    let (twice, nameless) = ([("a", "1"), ("a", "2")], [("", "1")]);
    let expected = expect!["two metadata keys are named `a`"];
    refused(whole("twice").0, &twice, expected);
    let expected = expect!["one of the metadata keys has an empty name"];
    refused(whole("nameless").0, &nameless, expected);

    let (mut g, y) = whole("dangling node");
    ops::tanh(&mut g, &y).unwrap();
    let expected = expect!["node `Tanh_0` is dangling: no output needs it"];
    refused(g, &[], expected);
    let (mut g, _) = whole("dangling input");
    g.input("z", DataType::Float32, [n()]).unwrap();
    refused(g, &[], expect!["input `z` is dangling: no output needs it"]);
    let (mut g, _) = whole("dangling initializer");
    g.initializer_f32("w", &[1], &[0.0]).unwrap();
    let expected = expect!["initializer `w` is dangling: no output needs it"];
    refused(g, &[], expected);
}

#[test]
fn a_refused_node_leaves_no_trace() {
    let mut g = GraphBuilder::new("again");
    let x = g.input("x", DataType::Float32, [n(), 4.into()]).unwrap();
    assert!(ops::reshape(&mut g, &x, &[0, 5]).is_err());
    assert!(ops::clip(&mut g, &x, Some(1.0), Some(0.0)).is_err());
    let y = ops::reshape(&mut g, &x, &[0, 2, 2]).unwrap();
    assert_eq!(y.name(), "Reshape_0");
    g.output("y", &y).unwrap();
    g.build(&[]).unwrap();
}

#[test]
fn automatic_names_make_way() {
    let mut g = GraphBuilder::new("names");
    let x = g.input("Relu_0", DataType::Float32, [n()]).unwrap();
    let taken = g.initializer_f32("Clip_0.min", &[], &[3.0]).unwrap();
    let x = ops::add(&mut g, &x, &taken).unwrap();
    let x = ops::relu(&mut g, &x).unwrap();
    assert_eq!(x.name(), "Relu_1");
    let x = ops::clip(&mut g, &x, Some(0.0), None).unwrap();
    g.output("Clip_0", &x).unwrap();
    g.build(&[]).unwrap();
}
