//! Weights stored as int8 with a scale for each channel.

use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use proptest::prelude::*;
use prost::Message;
use quintet_onnx::proto::ModelProto;
use quintet_onnx::{DataType, Storage, initializers, ops};

use crate::harness::{Array, Case, environment, numbers};

/// Shapes, and the axis of their channels.
const CASES: [(&[usize], usize); 5] = [
    (&[3, 4], 0),
    (&[3, 4], 1),
    (&[1, 6, 2], 1),
    (&[2, 3, 2, 2], 0),
    (&[1, 7], 0),
];

#[test]
fn the_graph_computes_with_what_the_rounding_gives() {
    for (shape, axis) in CASES {
        let mut case = Case::new();
        let data = numbers(shape.iter().product(), 3);
        case.g.set_storage(Storage::Int8);
        let weight = case.g.weight("w", shape, axis, &data).unwrap();
        assert_eq!(weight.data_type(), DataType::Float32);
        let rounded = Storage::Int8.round(shape, axis, data);
        assert_eq!(case.result(&weight), Array::f32(shape, &rounded));
    }
}

#[test]
fn each_channel_has_its_scale() {
    // The second channel is a thousandth of the first, and the third is zero.
    let data = [127.0, -64.2, 0.127, 0.001_2, 0.0, 0.0];
    let rounded = Storage::Int8.round(&[3, 2], 0, data.to_vec());
    let expected = [127.0, -64.0, 0.127, 0.001, 0.0, 0.0];
    for (rounded, expected) in rounded.iter().zip(expected) {
        assert!(
            (rounded - expected).abs() <= expected.abs() * 1e-4,
            "{rounded}"
        );
    }
    // One scale for all would lose the small ones.
    let columns = Storage::Int8.round(&[3, 2], 1, data.to_vec());
    assert_eq!(columns[2].to_bits(), 0);
}

#[test]
fn one_number_a_channel_is_stored_as_it_is() {
    let data = numbers(4, 1);
    for (shape, axis) in [(&[4][..], 0), (&[1, 4], 1), (&[4, 1], 0)] {
        let mut case = Case::new();
        case.g.set_storage(Storage::Int8);
        let weight = case.g.weight("w", shape, axis, &data).unwrap();
        assert_eq!(weight.name(), "w");
        assert_eq!(Storage::Int8.round(shape, axis, data.clone()), data);
    }
}

/// The weight of a matrix product, a table and a kernel are constants before the first run.
#[test]
fn the_runtime_folds_what_makes_them_float32_again() {
    let mut case = Case::new();
    case.g.set_storage(Storage::Int8);
    let tokens = case.fixed(Array::i64(&[1, 2], &[0, 2]));
    let table = case.g.weight("table", &[3, 4], 0, &numbers(12, 1)).unwrap();
    let x = ops::gather(&mut case.g, &table, &tokens, 0).unwrap();
    let dense = case.g.weight("dense", &[4, 4], 1, &numbers(16, 2)).unwrap();
    let x = ops::matmul(&mut case.g, &x, &dense).unwrap();
    let x = ops::unsqueeze(&mut case.g, &x, &[0]).unwrap();
    let shape = [2, 1, 1, 3];
    let kernel = case.g.weight("kernel", &shape, 0, &numbers(6, 3)).unwrap();
    let x = ops::conv(&mut case.g, &x, &kernel, None, Default::default()).unwrap();
    case.output(&x);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("optimised.onnx");
    let builder = Session::builder(environment()).unwrap();
    let level = GraphOptimizationLevel::Level3;
    let builder = builder.with_optimization_level(level).unwrap();
    let mut builder = builder.with_optimized_model_path(&path).unwrap();
    let model = case.g.build(&[]).unwrap().to_bytes();
    drop(builder.commit_from_memory(&model).unwrap());
    let optimised = ModelProto::decode(&std::fs::read(&path).unwrap()[..]).unwrap();
    let nodes = optimised.graph.unwrap().node;
    let left: Vec<_> = nodes.iter().map(|it| it.op_type.as_str()).collect();
    assert!(left.contains(&"Gather"), "{left:?}");
    assert!(
        !left.contains(&"Cast") && !left.contains(&"Mul"),
        "{left:?}"
    );
}

#[test]
fn they_are_read_back_with_the_value_that_holds_them() {
    for (shape, axis) in CASES.into_iter().chain([(&[4, 1][..], 1)]) {
        let mut case = Case::new();
        let data = numbers(shape.iter().product(), 5);
        case.g.set_storage(Storage::Int8);
        let weight = case.g.weight("w", shape, axis, &data).unwrap();
        case.output(&weight);
        let model = case.g.build(&[]).unwrap();
        let [read] = &initializers(&model.to_bytes()).unwrap()[..] else {
            panic!("{}", model.to_text())
        };
        assert_eq!((read.name.as_str(), &read.shape[..]), ("w", shape));
        assert_eq!(read.data, Storage::Int8.round(shape, axis, data));
        assert_eq!(read.float32.as_deref(), Some("y0"));
    }
}

proptest! {
    #[test]
    fn rounding_is_near_and_what_was_rounded_stays(
        data in proptest::collection::vec(-1e30_f32..1e30, 12),
        magnitude in -60..30_i32,
    ) {
        let data: Vec<f32> = data.iter().map(|it| it / 2.0_f32.powi(magnitude)).collect();
        for axis in [0, 1] {
            let once = Storage::Int8.round(&[3, 4], axis, data.clone());
            let largest = data.iter().fold(0.0_f32, |most, it| most.max(it.abs()));
            for (rounded, exact) in once.iter().zip(&data) {
                prop_assert!((rounded - exact).abs() <= largest / 253.0);
            }
            let twice = Storage::Int8.round(&[3, 4], axis, once.clone());
            prop_assert_eq!(once, twice);
        }
    }
}
