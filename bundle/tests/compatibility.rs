//! A manifest that was written once must stay readable, and must be read as it was meant.

use quintet_bundle::{DataType, Dim, Manifest, Preprocessing, Task};

const V1: &str = include_str!("data/manifest_v1.toml");
const TEXT_V1: &str = include_str!("data/manifest_text_v1.toml");

#[test]
fn format_version_1() {
    let manifest = Manifest::from_toml(V1).unwrap();
    assert_eq!((manifest.name.as_str(), manifest.version), ("mlp", 3));
    assert_eq!(manifest.task, Task::ImageClassification);
    assert_eq!(manifest.labels.len(), 10);
    let frame = Preprocessing::DigitFrame {
        width: 28,
        height: 28,
    };
    assert_eq!(manifest.preprocessing, Some(frame));
    assert_eq!(manifest.inputs[0].datatype, DataType::Uint8);
    assert_eq!(
        manifest.inputs[0].shape,
        [Dim::from("N"), 28.into(), 28.into()]
    );
    assert_eq!(manifest.outputs[0].datatype, DataType::Float32);
    assert_eq!(manifest.training.parameters, 109_386);
    assert_eq!(
        manifest.training.metrics["test_accuracy"].to_string(),
        "0.9751"
    );
    assert_eq!(manifest.files["model.onnx"].bytes, 439_000);
}

#[test]
fn format_version_1_of_a_text_model() {
    let manifest = Manifest::from_toml(TEXT_V1).unwrap();
    assert_eq!(manifest.task, Task::TextClassification);
    assert_eq!(manifest.labels, ["negative", "positive"]);
    let tokens = Preprocessing::TokenSequence { max_tokens: 200 };
    assert_eq!(manifest.preprocessing, Some(tokens));
    let [tokens, lengths] = &manifest.inputs[..] else {
        panic!("{:?}", manifest.inputs);
    };
    assert_eq!(tokens.datatype, DataType::Int64);
    assert_eq!(tokens.shape, [Dim::from("N"), Dim::from("L")]);
    assert_eq!(lengths.datatype, DataType::Int32);
    assert_eq!(manifest.outputs[0].shape, [Dim::from("N")]);
    assert!(manifest.files.contains_key("tokenizer.json"));
}

#[test]
fn writing_it_again_changes_nothing() {
    for text in [V1, TEXT_V1] {
        let manifest = Manifest::from_toml(text).unwrap();
        let again = Manifest::from_toml(&manifest.to_toml().unwrap()).unwrap();
        assert_eq!(again, manifest);
    }
}
