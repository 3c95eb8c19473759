//! `import onnx`, on graphs that the builder writes as another program might.

use std::fs;
use std::path::Path;

use image::RgbImage;
use quintet_bundle::{Bundle, DataType, Role};
use quintet_onnx::ops::{self, GemmAttributes};
use quintet_onnx::{DataType as OnnxType, Dim, GraphBuilder};
use quintet_trainer::cli;
use quintet_trainer::error::Error;

pub(crate) const SIDE: usize = 4;
const PIXELS: usize = SIDE * SIDE;

pub(crate) const MANIFEST: &str = r#"
task = "image_classification"
source = "a test"
licence = "MIT"
labels = ["red", "green", "blue"]
[preprocessing]
kind = "image"
width = 4
height = 4
channels = "rgb"
fit = { squash = { filter = "bilinear" } }
[normalisation]
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
[[inputs]]
name = "input:0"
role = "pixels"
datatype = "FP32"
shape = ["N", 3, 4, 4]
[[outputs]]
name = "logits"
role = "logits"
datatype = "FP32"
shape = ["N", 3]
softmax = true
"#;

/// The mean of each channel of NCHW floats.
pub(crate) fn channels(batch: Dim) -> Vec<u8> {
    graph(batch, false)
}

/// The same, less its mean over the batch where other rows count.
fn graph(batch: Dim, other_rows_count: bool) -> Vec<u8> {
    let mut g = GraphBuilder::new("channels");
    let shape = [batch, 3.into(), SIDE.into(), SIDE.into()];
    let x = g.input("input:0", OnnxType::Float32, shape).unwrap();
    let x = ops::flatten(&mut g, &x, 1).unwrap();
    let weight: Vec<f32> = (0..3 * PIXELS * 3)
        .map(|at| f32::from(at / 3 / PIXELS == at % 3) / PIXELS as f32)
        .collect();
    let weight = g
        .initializer_f32("weight", &[3 * PIXELS, 3], &weight)
        .unwrap();
    let mut logits = ops::gemm(&mut g, &x, &weight, None, GemmAttributes::default()).unwrap();
    if other_rows_count {
        let mean = ops::reduce_mean(&mut g, &logits, 0).unwrap();
        logits = ops::sub(&mut g, &logits, &mean).unwrap();
    }
    g.output("logits", &logits).unwrap();
    g.build(&[]).unwrap().to_bytes()
}

/// What `import onnx` of a file and a manifest gives, in `folder`, with more arguments.
fn import(folder: &Path, file: &[u8], manifest: &str, more: &[&str]) -> Result<String, Error> {
    fs::write(folder.join("model.onnx"), file).unwrap();
    fs::write(folder.join("m.toml"), manifest).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    let (file, manifest, models) = (path("model.onnx"), path("m.toml"), path("models"));
    let mut arguments = vec!["quintet-trainer", "import", "onnx", &file];
    arguments.extend([
        "--manifest",
        &manifest,
        "--name",
        "colours",
        "--models-dir",
        &models,
    ]);
    arguments.extend(more);
    let mut out = Vec::new();
    cli::run(arguments, &[], &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

/// How `import onnx` fails, which leaves nothing behind.
pub(crate) fn refusal(file: &[u8], manifest: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let error = import(folder.path(), file, manifest, &[]).unwrap_err();
    assert!(!folder.path().join("models").exists());
    error.to_string()
}

#[test]
fn the_graph_normalises_and_gives_probabilities() {
    let folder = tempfile::tempdir().unwrap();
    let samples = folder.path().join("samples");
    fs::create_dir(&samples).unwrap();
    for (index, colour) in [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
        .into_iter()
        .enumerate()
    {
        let picture = RgbImage::from_pixel(8, 6, image::Rgb(colour));
        picture.save(samples.join(format!("{index}.png"))).unwrap();
    }
    let more = ["--samples", samples.to_str().unwrap()];
    import(folder.path(), &channels(Dim::symbol("B")), MANIFEST, &more).unwrap();
    let bundle = Bundle::open(&folder.path().join("models/colours/1")).unwrap();
    let manifest = bundle.manifest();
    assert_eq!(manifest.inputs[0].shape_text(), "[N, 4, 4, 3]");
    assert_eq!(manifest.inputs[0].datatype, DataType::Uint8);
    assert_eq!(manifest.outputs[0].role, Some(Role::Probabilities));
    assert_eq!(
        (manifest.golden.samples, manifest.golden.self_made),
        (3, false)
    );
    assert_eq!(manifest.max_batch_size, None);
    // (1 - 0.485) / 0.229 = 2.249 is the logit of red, -2.036 and -1.804 the others.
    let red = &bundle.golden().outputs["probabilities"]
        .to_vec::<f32>()
        .unwrap()[..3];
    let powers = [2.248_908_f32, -2.035_714, -1.804_444].map(f32::exp);
    for (found, power) in red.iter().zip(powers) {
        let expected = power / powers.iter().sum::<f32>();
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
}

#[test]
fn a_fixed_batch_of_one_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = MANIFEST.replace("[\"N\", 3", "[1, 3");
    let said = import(folder.path(), &channels(1.into()), &manifest, &[]).unwrap();
    assert!(
        said.contains("8 samples through the file and the bundle, 1 rows"),
        "{said}"
    );
    let bundle = Bundle::open(&folder.path().join("models/colours/1")).unwrap();
    assert_eq!(bundle.manifest().max_batch_size, Some(1));
    assert!(bundle.manifest().golden.self_made);
}

/// The draft of a manifest.
fn describe(file: &Path) -> String {
    let file = file.to_str().unwrap();
    let describe = ["quintet-trainer", "import", "onnx", file, "--describe"];
    let mut out = Vec::new();
    cli::run(describe, &[], &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_draft_of_a_text_model_says_how_texts_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.onnx");
    let mut g = GraphBuilder::new("words");
    let shape = [Dim::symbol("N"), Dim::symbol("L")];
    let tokens = g.input("input_ids", OnnxType::Int64, shape).unwrap();
    let table = g.initializer_f32("table", &[9, 2], &[0.5; 18]).unwrap();
    let words = ops::gather(&mut g, &table, &tokens, 0).unwrap();
    let logits = ops::reduce_mean(&mut g, &words, 1).unwrap();
    g.output("logits", &logits).unwrap();
    fs::write(&file, g.build(&[]).unwrap().to_bytes()).unwrap();
    let draft = describe(&file);
    for part in ["role = \"tokens\"", "kind = \"text\""] {
        assert!(draft.contains(part), "{draft}");
    }
}

#[test]
fn a_draft_can_be_imported() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.onnx");
    fs::write(&file, channels(Dim::symbol("B"))).unwrap();
    let draft = describe(&file);
    assert!(
        draft.contains("labels_file = \"labels.txt\"  # 3 names"),
        "{draft}"
    );
    fs::write(folder.path().join("labels.txt"), "red\ngreen\nblue\n").unwrap();
    import(folder.path(), &fs::read(&file).unwrap(), &draft, &[]).unwrap();
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_nothing() {
    let good = channels(Dim::symbol("B"));
    for (from, to, expected) in [
        (
            "\"blue\"]",
            "\"blue\", \"black\"]",
            "labels is a list of 4, must be a list of 3",
        ),
        (
            "\"input:0\"",
            "\"input\"",
            "inputs.name: is `input`; the file has input:0",
        ),
        (
            "[\"N\", 3]",
            "[\"N\", 4]",
            "outputs.logits.shape: is [N, 4]; the file has [?, 3]",
        ),
        (
            "mean = [0.485, ",
            "mean = [",
            "normalisation.mean: is [0.456, 0.406]; 3 finite",
        ),
        ("licence", "license", "unknown field `license`"),
        (
            "labels = [\"red\", \"green\", \"blue\"]",
            "labels_file = \"../labels\"",
            "../labels: is a path",
        ),
        (
            "width = 4",
            "width = 5",
            "NHWC or NCHW of the 5x4 pixels of preprocessing is needed",
        ),
        (
            "role = \"logits\"",
            "role = \"score\"",
            "only an output [N, classes] of role logits",
        ),
    ] {
        let message = refusal(&good, &MANIFEST.replace(from, to));
        assert!(message.contains(expected), "{to}: {message}");
    }
    let message = refusal(&good[..good.len() / 2], MANIFEST);
    assert!(message.contains("not an ONNX model"), "{message}");
    let message = refusal(
        &channels(8.into()),
        &MANIFEST.replace("[\"N\", 3, 4", "[8, 3, 4"),
    );
    assert!(
        message.contains("input `input:0`: has a batch of 8; an open batch"),
        "{message}"
    );
}

/// Integers, less their mean over the batch.
fn integers() -> Vec<u8> {
    let mut g = GraphBuilder::new("integers");
    let shape = [Dim::symbol("B"), 3.into()];
    let x = g.input("x", OnnxType::Int64, shape).unwrap();
    let x = ops::cast(&mut g, &x, OnnxType::Float32).unwrap();
    let mean = ops::reduce_mean(&mut g, &x, 0).unwrap();
    let y = ops::sub(&mut g, &x, &mean).unwrap();
    g.output("y", &y).unwrap();
    g.build(&[]).unwrap().to_bytes()
}

#[test]
fn rows_that_depend_on_each_other_are_found_however_the_samples_are() {
    let manifest = r#"
task = "tabular"
[[inputs]]
name = "x"
datatype = "INT64"
shape = ["N", 3]
[[outputs]]
name = "y"
datatype = "FP32"
shape = ["N", 3]
"#;
    let differs = "in batches of 2: differs";
    let message = refusal(&integers(), manifest);
    assert!(message.contains(differs), "{message}");

    // One sample makes batches of equal rows.
    let folder = tempfile::tempdir().unwrap();
    let samples = folder.path().join("samples");
    fs::create_dir(&samples).unwrap();
    let picture = RgbImage::from_fn(8, 6, |x, y| image::Rgb([x as u8 * 9, y as u8 * 7, 40]));
    picture.save(samples.join("one.png")).unwrap();
    let more = ["--samples", samples.to_str().unwrap()];
    let file = graph(Dim::symbol("B"), true);
    let error = import(folder.path(), &file, MANIFEST, &more).unwrap_err();
    assert!(error.to_string().contains(differs), "{error}");
}

#[test]
fn probabilities_that_are_none_are_refused() {
    let manifest = MANIFEST.replace("role = \"logits\"", "role = \"probabilities\"");
    let manifest = manifest.replace("softmax = true", "");
    let message = refusal(&channels(Dim::symbol("B")), &manifest);
    assert!(
        message.contains("output `logits` of role probabilities: "),
        "{message}"
    );
}

/// A graph of one input of these lengths, whose output is its mean over all but the batch.
fn means(shape: &[Dim], to: OnnxType) -> Vec<u8> {
    let mut g = GraphBuilder::new("means");
    let shape = shape.iter().cloned();
    let x = g
        .input("x", OnnxType::Float32, shape.collect::<Vec<_>>())
        .unwrap();
    let x = ops::flatten(&mut g, &x, 1).unwrap();
    let x = ops::reduce_mean(&mut g, &x, 1).unwrap();
    let x = ops::unsqueeze(&mut g, &x, &[1]).unwrap();
    let x = ops::cast(&mut g, &x, to).unwrap();
    g.output("y", &x).unwrap();
    g.build(&[]).unwrap().to_bytes()
}

/// The draft of a file's manifest.
pub(crate) fn draft_of(file: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    fs::write(&path, file).unwrap();
    describe(&path)
}

#[test]
fn a_draft_of_grey_pictures_has_one_mean() {
    let grey = [Dim::symbol("B"), 1.into(), 4.into(), 4.into()];
    let draft = draft_of(&means(&grey, OnnxType::Float32));
    let table: toml::Table = draft.parse().unwrap();
    for key in ["mean", "std"] {
        let numbers = table["normalisation"][key].as_array().unwrap();
        assert_eq!(numbers.len(), 1, "{draft}");
    }
    let draft = draft_of(&means(&[Dim::symbol("B"), 5.into()], OnnxType::Float32));
    assert!(draft.contains("task = \"tabular\""), "{draft}");
}

#[test]
fn a_type_that_cannot_be_served_is_named_with_its_tensor() {
    let file = means(&[Dim::symbol("B"), 5.into()], OnnxType::Float16);
    let draft = draft_of(&file).replace("labels_file = \"labels.txt\"", "labels = [\"a\"]");
    let message = refusal(&file, &draft);
    assert!(message.starts_with("outputs.y.datatype: is "), "{message}");
    assert!(
        message.contains("in the file; UINT8, INT32, INT64 and FP32"),
        "{message}"
    );
}

#[test]
fn one_label_has_no_softmax() {
    let shape = [Dim::symbol("B"), 3.into(), 4.into(), 4.into()];
    let manifest = MANIFEST
        .replace("input:0", "x")
        .replace("\"logits\"\nrole", "\"y\"\nrole");
    let manifest = manifest.replace("[\"N\", 3]", "[\"N\", 1]");
    let manifest = manifest.replace("\"red\", \"green\", \"blue\"", "\"red\"");
    let message = refusal(&means(&shape, OnnxType::Float32), &manifest);
    let expected = "problem_type is single_label_classification with one label";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn a_bad_name_is_refused_before_anything_is_read() {
    for name in ["A b", "", "\u{e9}", &"a".repeat(65)] {
        let flags = ["--manifest", "no.toml", "--name", name];
        let file = ["quintet-trainer", "import", "onnx", "no.onnx"];
        let arguments = file.into_iter().chain(flags);
        let error = cli::run(arguments, &[], &mut Vec::new()).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("1 to 64 characters of a-z"), "{message}");
    }
}

#[test]
fn a_result_that_is_no_number_is_said_to_be_nan() {
    let mut g = GraphBuilder::new("nan");
    let shape = [Dim::symbol("B"), 3.into(), 4.into(), 4.into()];
    let x = g.input("input:0", OnnxType::Float32, shape).unwrap();
    let x = ops::flatten(&mut g, &x, 1).unwrap();
    let weight = g.initializer_f32("w", &[48, 3], &[f32::NAN; 144]).unwrap();
    let logits = ops::gemm(&mut g, &x, &weight, None, GemmAttributes::default()).unwrap();
    g.output("logits", &logits).unwrap();
    let message = refusal(&g.build(&[]).unwrap().to_bytes(), MANIFEST);
    assert!(message.contains("of 1: is NaN for a sample"), "{message}");
}
