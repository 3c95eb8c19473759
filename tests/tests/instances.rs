//! Instances that share a model's weights compute the same as one that does not.

use std::path::Path;

use bytes::Bytes;
use quintet_bundle::{Bundle, DataType};
use quintet_server::batching::Backend as _;
use quintet_server::runtime::{Device, Row, Runtime, Signature, Weights};

use crate::support::committed_models;

const ROWS: usize = 5;

/// Rows for the model, of 50 tokens if it takes tokens.
fn rows(signature: &Signature) -> Vec<Row> {
    let mut random = fastrand::Rng::with_seed(7);
    let steps = if signature.sequence.is_some() { 50 } else { 1 };
    let columns: Vec<Bytes> = signature
        .inputs
        .iter()
        .map(|port| {
            let steps_of_row = if port.is_sequence { steps } else { 1 };
            let element = |_| match port.datatype {
                DataType::Uint8 => vec![random.u8(..)],
                DataType::Int32 => (steps as i32).to_le_bytes().to_vec(),
                DataType::Int64 => random.i64(0..9_000).to_le_bytes().to_vec(),
                DataType::Float32 => random.f32().to_le_bytes().to_vec(),
            };
            let elements = 0..ROWS * steps_of_row * port.row_len();
            elements.flat_map(element).collect()
        })
        .collect();
    let rows = signature.cut(&columns, ROWS, steps);
    rows.expect("they are as long as they say").into_vec()
}

#[test]
fn instances_that_share_weights_compute_the_same() {
    let library = std::env::var_os("ORT_DYLIB_PATH").expect("cargo sets it");
    let runtime = Runtime::load(Path::new(&library), Some(Device::Cpu), 1).expect("it loads");
    for model in [
        "cnn",
        "gan",
        "lstm",
        "minilm",
        "mlp",
        "simple_rnn",
        "transformer",
    ] {
        let Some(models) = committed_models(&[model]) else {
            return;
        };
        let bundle = Bundle::open(&models.as_ref().join(model).join("1")).expect("it is sound");
        let signature = Signature::of(bundle.manifest()).expect("it can be served");
        let rows = rows(&signature);
        let shared = runtime.weights(bundle.model(), 2);
        let answers = [&Weights::default(), &shared, &shared].map(|weights| {
            let mut instance = runtime
                .session(bundle.model(), &signature, weights)
                .expect("ONNX Runtime takes it");
            let mut outputs = Vec::new();
            instance.run(&rows, &mut outputs).expect("it runs");
            outputs
        });
        assert_eq!(answers[0].len(), ROWS);
        assert!(
            answers[0] == answers[1] && answers[0] == answers[2],
            "{model}"
        );
    }
}
