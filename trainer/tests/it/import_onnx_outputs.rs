//! `import onnx`: what the outputs of a file are, and what the server makes of them.

use quintet_onnx::ops;
use quintet_onnx::{DataType as OnnxType, Dim, GraphBuilder, Value};

use crate::import_onnx::{MANIFEST, SIDE, channels, draft_of, refusal};

/// The channels' graph, with these operators behind it.
fn behind(then: impl Fn(&mut GraphBuilder, &Value) -> Value) -> Vec<u8> {
    let mut g = GraphBuilder::new("behind");
    let shape = [Dim::symbol("B"), 3.into(), SIDE.into(), SIDE.into()];
    let x = g.input("input:0", OnnxType::Float32, shape).unwrap();
    let x = ops::reshape(&mut g, &x, &[0, 3, -1]).unwrap();
    let x = ops::reduce_mean(&mut g, &x, 2).unwrap();
    let x = then(&mut g, &x);
    let x = ops::clip(&mut g, &x, Some(0.0), Some(1.0)).unwrap();
    let x = ops::reshape(&mut g, &x, &[0, 3]).unwrap();
    g.output("logits", &x).unwrap();
    g.build(&[]).unwrap().to_bytes()
}

#[test]
fn probabilities_behind_other_operators_are_no_logits() {
    let plain = behind(|_, x| x.clone());
    let softmax = behind(|g, x| ops::softmax(g, x, -1).unwrap());
    let sigmoid = behind(|g, x| ops::sigmoid(g, x).unwrap());
    assert!(draft_of(&plain).contains("role = \"logits\""));
    assert!(draft_of(&softmax).contains("role = \"probabilities\""));
    let draft = draft_of(&sigmoid);
    assert!(draft.contains("role = \"probabilities\""), "{draft}");
    assert!(draft.contains("problem_type = \"multi_label_classification\""));
    for (file, made) in [(softmax, "Softmax"), (sigmoid, "Sigmoid")] {
        let message = refusal(&file, MANIFEST);
        let expected =
            format!("outputs.logits.role: is logits, and the file makes them by {made}; ");
        assert!(message.starts_with(&expected), "{message}");
    }
}

#[test]
fn a_regression_of_images_is_refused() {
    let manifest = MANIFEST.replace("softmax = true", "");
    let manifest = format!("problem_type = \"regression\"\n{manifest}");
    let message = refusal(&channels(Dim::symbol("B")), &manifest);
    assert!(message.contains("problem_type is regression"), "{message}");
}
