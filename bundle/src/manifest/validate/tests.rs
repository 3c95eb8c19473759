//! One change to a good manifest, one refusal.

use crate::{Manifest, Provenance};

const GOOD: &str = include_str!("../../../tests/data/manifest_v1.toml");

/// The refusal after `from` is replaced by `to`.
#[track_caller]
fn refusal(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "nothing to replace: {from}");
    Manifest::from_toml(&GOOD.replace(from, to))
        .unwrap_err()
        .to_string()
}

#[test]
fn values() {
    for (from, to, message) in [
        (
            "name = \"mlp\"",
            "name = \"MLP\"",
            "name is \"MLP\", must be 1 to 64 characters of a-z",
        ),
        ("name = \"mlp\"", "name = \"\"", "name is \"\""),
        ("name = \"mlp\"", "name = \"../x\"", "name is \"../x\""),
        (
            "version = 3",
            "version = 0",
            "version is 0, must be at least 1",
        ),
        (
            "version = 3",
            "version = 3\nleast_divergence = 0.0",
            "least_divergence is 0, must be a number above 0",
        ),
        (
            "version = 3",
            "version = 3\nleast_divergence = nan",
            "least_divergence is NaN, must be a number above 0",
        ),
        (
            "architecture = \"mlp\"",
            "architecture = \"\"",
            "architecture is \"\"",
        ),
        (
            "\"8\", \"9\"]",
            "\"8\"]",
            "labels is a list of 9, must be a list of 10",
        ),
        (
            "\"8\", \"9\"]",
            "\"8\", \"8\"]",
            "labels is \"8\", must be not empty, and unique",
        ),
        ("\"pixels\"", "\"\"", "inputs.name is \"\""),
        (
            "\"probabilities\"",
            "\"pixels\"",
            "outputs.name is \"pixels\"",
        ),
        (
            "\"N\", 28, 28",
            "\"N\", 0, 28",
            "inputs.pixels.shape is [N, 0, 28]",
        ),
        (
            "\"N\", 28, 28",
            "\"\", 28, 28",
            "inputs.pixels.shape is [, 28, 28]",
        ),
        ("\"N\", 28, 28", "", "inputs.pixels.shape is []"),
        (
            "width = 28",
            "width = 32",
            "preprocessing is of 32x28 pixels, Grey, must be grey and 28x28 where fit is digit",
        ),
        ("21.5", "-1.0", "provenance.trained.duration_seconds is -1"),
        (
            "0.083",
            "nan",
            "metrics.test_loss is NaN, must be a finite number",
        ),
        (
            "\nsamples = 4",
            "\nsamples = 0",
            "golden.samples is 0, must be at least 1",
        ),
        (
            "tolerance = 0.0001",
            "tolerance = inf",
            "golden.tolerance is inf",
        ),
        (
            "\"model.onnx\"",
            "\"other.onnx\"",
            "files is without model.onnx",
        ),
        (
            "sha256 = \"ba",
            "sha256 = \"BA",
            "files.golden.safetensors.sha256 is \"BA",
        ),
        (
            "sha256 = \"ba",
            "sha256 = \"",
            "must be 64 lower-case hex digits",
        ),
        (
            "bytes = 3488",
            "bytes = 9999999999",
            "files.golden.safetensors.bytes is 9999999999",
        ),
    ] {
        let found = refusal(from, to);
        assert!(found.contains(message), "{from} -> {to}: {found}");
    }
}

#[test]
fn values_of_a_text_model() {
    let good = include_str!("../../../tests/data/manifest_text_v1.toml");
    for (from, to, message) in [
        (
            "max_tokens = 200",
            "max_tokens = 0",
            "preprocessing.max_tokens is 0, must be 1 to 65536",
        ),
        ("max_tokens = 200", "max_tokens = 70000", "is 70000"),
        (
            "\"tokenizer.json\"",
            "\"tokens.json\"",
            "files is without tokenizer.json",
        ),
        ("max_tokens = 200", "tokens = 200", "unknown field `tokens`"),
    ] {
        assert!(good.contains(from), "nothing to replace: {from}");
        let error = Manifest::from_toml(&good.replace(from, to)).unwrap_err();
        let found = error.to_string();
        assert!(found.contains(message), "{from} -> {to}: {found}");
    }
}

#[test]
fn padding_fits_a_tensor_of_either_integer_type() {
    let good = include_str!("../../../tests/data/manifest_imported_v2.toml");
    let padded = |id: &str| good.replace("pad_token_id = 0", &format!("pad_token_id = {id}"));
    assert!(Manifest::from_toml(&padded("2147483647")).is_ok());
    for id in ["2147483648", "-1"] {
        let error = Manifest::from_toml(&padded(id)).unwrap_err().to_string();
        let message = format!("preprocessing.pad_token_id is {id}, must be the number of a token");
        assert!(error.starts_with(&message), "{error}");
    }
}

#[test]
fn file_names_cannot_lead_out() {
    for name in [
        "../model.onnx",
        "/etc/passwd",
        "a/b",
        "..",
        ".hidden",
        "",
        "a\\\\b",
        "manifest.toml",
    ] {
        let found = refusal("[files.\"model.onnx\"]", &format!("[files.\"{name}\"]"));
        assert!(
            found.contains("must be a plain file name"),
            "{name}: {found}"
        );
    }
}

#[test]
fn unknown_keys_are_refused_at_every_level() {
    for anchor in [
        "format_version = 1",
        "kind = \"digit_frame\"",
        "datatype = \"UINT8\"",
        "epochs = 5",
        "samples = 4",
        "bytes = 3488",
    ] {
        let found = refusal(anchor, &format!("{anchor}\nsurprise = 1"));
        assert!(
            found.contains("unknown field `surprise`"),
            "{anchor}: {found}"
        );
    }
    assert!(refusal("\"image_classification\"", "\"Juggling\"").contains("task is \"Juggling\""));
    assert!(refusal("\"FP32\"", "\"FP64\"").contains("unknown variant"));
    assert!(refusal("seed = 42", "seed = -1").contains("seed"));
}

#[test]
fn a_newer_format_is_named_before_its_unknown_keys() {
    let newer = GOOD.replace("format_version = 1", "format_version = 3\nnovelty = true");
    let error = Manifest::from_toml(&newer).unwrap_err();
    assert_eq!(
        error.to_string(),
        "format_version is 3, this version reads 1 to 2"
    );
    let good = include_str!("../../../tests/data/manifest_v2.toml");
    let none = good.replace("format_version = 2", "");
    let error = Manifest::from_toml(&none).unwrap_err().to_string();
    assert!(error.contains("missing field `format_version`"), "{error}");
}

#[test]
fn lists_must_not_be_empty() {
    let mut manifest = Manifest::from_toml(GOOD).unwrap();
    manifest.outputs.clear();
    assert_eq!(
        manifest.validate().unwrap_err().to_string(),
        "outputs is empty, must be at least one tensor"
    );
    let mut manifest = Manifest::from_toml(GOOD).unwrap();
    let Provenance::Trained(training) = &mut manifest.provenance else {
        panic!("version 1 knows no other");
    };
    training.seed = u64::MAX;
    let error = manifest.validate().unwrap_err().to_string();
    assert!(
        error.starts_with("provenance.trained.seed is 18446744073709551615"),
        "{error}"
    );
}

#[test]
fn roles() {
    let good = include_str!("../../../tests/data/manifest_v2.toml");
    for (from, to, message) in [
        (
            "role = \"pixels\"",
            "role = \"picture\"",
            "unknown variant `picture`",
        ),
        (
            "role = \"pixels\"",
            "role = \"score\"",
            "inputs.pixels.role is score, must be a role of inputs",
        ),
        (
            "role = \"probabilities\"",
            "role = \"tokens\"",
            "must be a role of outputs",
        ),
        (
            "datatype = \"UINT8\"",
            "datatype = \"INT64\"",
            "inputs.pixels is INT64 [N, 28, 28] for role pixels, must be UINT8 or FP32",
        ),
        (
            "role = \"pixels\"\ndatatype = \"UINT8\"\nshape = [\"N\", 28, 28]",
            "role = \"attention_mask\"\ndatatype = \"INT64\"\nshape = [\"N\", 28]",
            "inputs.pixels is INT64 [N, 28] for role attention_mask, must be INT64 or INT32 [N, L]",
        ),
        (
            "[provenance.trained]",
            "[[inputs]]\nname = \"more\"\nrole = \"pixels\"\ndatatype = \"UINT8\"\n\
             shape = [\"N\", 28, 28]\n\n[provenance.trained]",
            "inputs.more.role is pixels, must be a role that no other tensor has",
        ),
        (
            "fit = \"digit\"",
            "fit = \"stretch\"",
            "preprocessing of kind image: unknown variant",
        ),
        (
            "fit = \"digit\"",
            "",
            "preprocessing of kind image: missing field `fit`",
        ),
        (
            "width = 28",
            "width = 0",
            "preprocessing.width is 0, must be 1 to 4096",
        ),
        (
            "channels = \"grey\"",
            "channels = \"rgb\"",
            "must be grey and 28x28 where fit is digit",
        ),
        (
            "fit = \"digit\"",
            "fit = { crop = { shorter_side = 20, filter = \"bilinear\" } }",
            "preprocessing.fit.crop.shorter_side is 20, must be from the larger of width and height",
        ),
    ] {
        assert!(good.contains(from), "nothing to replace: {from}");
        let error = Manifest::from_toml(&good.replace(from, to)).unwrap_err();
        let found = error.to_string();
        assert!(found.contains(message), "{from} -> {to}: {found}");
    }
}
