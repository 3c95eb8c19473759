//! A manifest that was written once must stay readable, and must be read as it was meant.

use quintet_bundle::image::ImageSpec;
use quintet_bundle::noise::NoiseSpec;
use quintet_bundle::text::{Side, TextSpec};
use quintet_bundle::{DataType, Dim, Manifest, Provenance, Role, task};

const V1: &str = include_str!("data/manifest_v1.toml");
const TEXT_V1: &str = include_str!("data/manifest_text_v1.toml");
const V2: &str = include_str!("data/manifest_v2.toml");
const IMPORTED_V2: &str = include_str!("data/manifest_imported_v2.toml");

#[test]
fn format_version_1() {
    let manifest = Manifest::from_toml(V1).unwrap();
    assert_eq!((manifest.name.as_str(), manifest.version), ("mlp", 3));
    assert_eq!(manifest.task, task::IMAGE_CLASSIFICATION);
    assert_eq!(manifest.labels.len(), 10);
    assert_eq!(manifest.spec::<ImageSpec>().unwrap(), ImageSpec::digit());
    assert_eq!(manifest.inputs[0].role, Some(Role::Pixels));
    assert_eq!(manifest.inputs[0].datatype, DataType::Uint8);
    assert_eq!(
        manifest.inputs[0].shape,
        [Dim::from("N"), 28.into(), 28.into()]
    );
    assert_eq!(manifest.outputs[0].datatype, DataType::Float32);
    assert_eq!(manifest.parameters, 109_386);
    assert_eq!(manifest.metrics["test_accuracy"].to_string(), "0.9751");
    let Provenance::Trained(training) = manifest.provenance else {
        panic!("{:?}", manifest.provenance);
    };
    assert_eq!((training.seed, training.threads), (42, None));
    assert_eq!(manifest.files["model.onnx"].bytes, 439_000);
}

#[test]
fn format_version_1_of_a_text_model() {
    let manifest = Manifest::from_toml(TEXT_V1).unwrap();
    assert_eq!(manifest.task, task::TEXT_CLASSIFICATION);
    assert_eq!(manifest.labels, ["negative", "positive"]);
    let spec: TextSpec = manifest.spec().unwrap();
    let expected = TextSpec {
        clean_text: false,
        ..TextSpec::end_of(200)
    };
    assert_eq!(spec, expected);
    assert_eq!((spec.truncation_side, spec.pad_token_id), (Side::Left, 0));
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
fn format_version_1_has_no_fields_of_version_2() {
    let as_v1 = |text: &str| text.replacen("format_version = 2", "format_version = 1", 1);
    let role = V1.replacen("[[inputs]]", "[[inputs]]\nrole = \"pixels\"", 1);
    for (text, field) in [
        (as_v1(V2), "provenance"),
        (as_v1(IMPORTED_V2), "provenance"),
        (
            V1.replacen("[training]", "[metrics]\n[training]", 1),
            "metrics",
        ),
        (role, "inputs.role"),
    ] {
        let error = Manifest::from_toml(&text).unwrap_err();
        let words = format!("{field} is set, must be left out where format_version is 1");
        assert_eq!(error.to_string(), words);
    }
}

#[test]
fn format_version_2_says_the_same_as_version_1() {
    assert_eq!(
        Manifest::from_toml(V2).unwrap(),
        Manifest::from_toml(V1).unwrap()
    );
}

#[test]
fn a_generators_noise_was_known_by_its_input() {
    let gan = include_str!("../../models/gan/1/manifest.toml");
    let manifest = Manifest::from_toml(gan).unwrap();
    assert_eq!(
        manifest.spec::<NoiseSpec>().unwrap(),
        NoiseSpec {
            size: 100,
            affine_invariant: true,
        }
    );
    assert_eq!(manifest.input(Role::Noise).unwrap().name, "noise");
    assert_eq!(manifest.output(Role::Pixels).unwrap().name, "pixels");
}

#[test]
fn an_imported_text_model_of_version_2() {
    let manifest = Manifest::from_toml(IMPORTED_V2).unwrap();
    let Provenance::Imported(import) = &manifest.provenance else {
        panic!("{:?}", manifest.provenance);
    };
    assert_eq!(import.licence, "Apache-2.0");
    assert_eq!(manifest.input(Role::AttentionMask).unwrap().name, "mask:0");
    assert_eq!(
        manifest.spec::<TextSpec>().unwrap().truncation_side,
        Side::Right
    );
}

#[test]
fn a_kind_of_preprocessing_that_only_a_newer_version_knows() {
    let newer = V2.replace("kind = \"image\"", "kind = \"spectrogram\"\nbins = 80");
    let manifest = Manifest::from_toml(&newer).unwrap();
    let error = manifest.spec::<ImageSpec>().unwrap_err().to_string();
    assert_eq!(
        error,
        "preprocessing.kind is spectrogram, which this version does not know; a newer one may"
    );
    // It is kept as it is.
    assert!(manifest.to_toml().unwrap().contains("bins = 80"));
    let error = Manifest::from_toml(V2)
        .unwrap()
        .spec::<TextSpec>()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "preprocessing.kind is image, must be text"
    );
}

#[test]
fn writing_it_again_changes_nothing() {
    for text in [V1, TEXT_V1, V2, IMPORTED_V2] {
        let manifest = Manifest::from_toml(text).unwrap();
        let again = Manifest::from_toml(&manifest.to_toml().unwrap()).unwrap();
        assert_eq!(again, manifest);
    }
}
