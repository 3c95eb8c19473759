//! What ONNX Runtime makes of a graph with our options.

use std::path::Path;

use quintet_onnx::{DataType, Dim, GraphBuilder, ops};

use super::*;
use crate::environment::ort_dylib_path;

/// A sum and a layer normalisation of it, the pair that a Transformer has twice a layer.
fn sum_and_norm() -> Vec<u8> {
    let mut g = GraphBuilder::new("pair");
    let shape = [Dim::symbol("N"), Dim::symbol("L"), 8.into()];
    let x = g.input("x", DataType::Float32, shape.clone()).unwrap();
    let skip = g.input("skip", DataType::Float32, shape).unwrap();
    let weight = g.initializer_f32("weight", &[8], &[2.0; 8]).unwrap();
    let bias = g.initializer_f32("bias", &[8], &[1.0; 8]).unwrap();
    let sum = ops::add(&mut g, &x, &skip).unwrap();
    let y = ops::layer_normalization(&mut g, &sum, &weight, Some(&bias), 1e-5).unwrap();
    g.output("y", &y).unwrap();
    g.build(&[]).unwrap().to_bytes()
}

/// Whether the graph that `builder` optimises has the operator.
fn has_operator(builder: SessionBuilder, folder: &Path, operator: &str) -> bool {
    let path = folder.join(operator);
    let mut builder = builder.with_optimized_model_path(&path).unwrap();
    builder.commit_from_memory(&sum_and_norm()).unwrap();
    let optimised = std::fs::read(path).unwrap();
    let mut places = optimised.windows(operator.len());
    places.any(|place| place == operator.as_bytes())
}

#[test]
fn a_sum_and_a_layer_normalisation_stay_apart() {
    let folder = tempfile::tempdir().unwrap();
    let library = ort_dylib_path().unwrap();
    let runtime = Runtime::load(&library, Some(Device::Cpu), 1).unwrap();
    let fused = "SkipLayerNormalization";
    let plain = Session::builder(&runtime.environment)
        .and_then(|it| Ok(it.with_optimization_level(GraphOptimizationLevel::Level3)?))
        .unwrap();
    assert!(has_operator(plain, folder.path(), fused));
    assert!(!has_operator(
        runtime.builder().unwrap(),
        folder.path(),
        fused
    ));
}
