//! What is written is what is read, and a bundle that was tampered with is not read at all.

#![expect(clippy::unwrap_used, reason = "a set-up that fails must fail its test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use quintet_bundle::text::TextSpec;
use quintet_bundle::{
    Bundle, BundleContents, GoldenSamples, Manifest, Preprocessing, Tensor, discover, write_bundle,
};
use tempfile::TempDir;

const SAMPLES: usize = 4;

fn contents(model: &[u8]) -> BundleContents {
    let mut manifest = Manifest::from_toml(include_str!("data/manifest_v1.toml")).unwrap();
    manifest.files.clear();
    let pixels = Tensor::new::<u8>([SAMPLES, 28, 28], vec![7; SAMPLES * 784]).unwrap();
    let probabilities = Tensor::new::<f32>([SAMPLES, 10], [0.1; SAMPLES * 10]).unwrap();
    BundleContents {
        manifest,
        model: model.to_vec(),
        golden: GoldenSamples {
            inputs: BTreeMap::from([("pixels".to_owned(), pixels)]),
            outputs: BTreeMap::from([("probabilities".to_owned(), probabilities)]),
        },
        extra: BTreeMap::from([("tokenizer.json".to_owned(), b"{}".to_vec())]),
    }
}

fn written() -> (TempDir, PathBuf) {
    let models = tempfile::tempdir().unwrap();
    let path = write_bundle(models.path(), contents(b"a graph")).unwrap();
    (models, path)
}

/// The refusal of a bundle after `spoil`, and the last part of the path that it names.
#[track_caller]
fn refusal(spoil: impl FnOnce(&Path)) -> (String, String) {
    let (_models, path) = written();
    spoil(&path);
    let error = Bundle::open(&path).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&*error.path.to_string_lossy())
    );
    (
        error
            .path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned(),
        error.problem,
    )
}

fn edit_manifest(path: &Path, edit: impl FnOnce(String) -> String) {
    let path = path.join("manifest.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, edit(text)).unwrap();
}

#[test]
fn written_and_read() {
    let (models, path) = written();
    assert_eq!(path, models.path().join("mlp/3"));
    let bundle = Bundle::open(&path).unwrap();
    let expected = contents(b"a graph");
    assert_eq!(bundle.path(), path);
    assert_eq!(bundle.model(), b"a graph");
    assert_eq!(bundle.golden(), &expected.golden);
    assert_eq!(bundle.file("tokenizer.json"), Some(&b"{}"[..]));
    assert_eq!(bundle.file("manifest.toml"), None);
    let files: Vec<_> = bundle.manifest().files.keys().map(String::as_str).collect();
    assert_eq!(
        files,
        ["golden.safetensors", "model.onnx", "tokenizer.json"]
    );
    assert_eq!(bundle.manifest().provenance, expected.manifest.provenance);
}

#[test]
fn an_existing_version_is_replaced_and_nothing_is_left_behind() {
    let (models, path) = written();
    let old = Bundle::open(&path).unwrap();
    assert_eq!(old.digest(), Bundle::open(&path).unwrap().digest());
    let mut newer = contents(b"another graph");
    newer.extra.clear();
    assert_eq!(write_bundle(models.path(), newer).unwrap(), path);
    let bundle = Bundle::open(&path).unwrap();
    assert_eq!(bundle.model(), b"another graph");
    assert_ne!(bundle.digest(), old.digest());
    assert!(!path.join("tokenizer.json").exists());
    let left: Vec<_> = fs::read_dir(models.path().join("mlp")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_write_that_broke_off_is_not_seen() {
    let (models, path) = written();
    // What a crash leaves: a dot-folder with some of the files.
    let staging = models.path().join("mlp/.writing-x1");
    fs::create_dir(&staging).unwrap();
    fs::copy(path.join("manifest.toml"), staging.join("manifest.toml")).unwrap();
    let found = discover(models.path()).unwrap();
    assert_eq!(
        found
            .iter()
            .map(|bundle| bundle.version)
            .collect::<Vec<_>>(),
        [3]
    );
}

#[test]
fn a_write_that_fails_leaves_the_old_bundle() {
    let (models, path) = written();
    let mut wrong = contents(b"another graph");
    wrong.golden.outputs.clear();
    let error = write_bundle(models.path(), wrong).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("tensor `output.probabilities` is in the signature")
    );
    let mut wrong = contents(b"another graph");
    wrong.extra.insert("../escape".into(), vec![]);
    assert!(write_bundle(models.path(), wrong).is_err());
    let mut wrong = contents(b"another graph");
    wrong.extra.insert("model.onnx".into(), vec![]);
    assert!(write_bundle(models.path(), wrong).is_err());
    assert_eq!(Bundle::open(&path).unwrap().model(), b"a graph");
    assert_eq!(fs::read_dir(models.path().join("mlp")).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn other_users_can_read_a_bundle() {
    use std::os::unix::fs::PermissionsExt as _;
    let (models, path) = written();
    let plain = models.path().join("plain");
    fs::create_dir(&plain).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), mode(&plain));
}

#[test]
fn changed_files_are_refused() {
    let (file, problem) = refusal(|path| fs::write(path.join("model.onnx"), b"A graph").unwrap());
    assert!(
        file == "model.onnx" && problem.starts_with("sha256 is "),
        "{problem}"
    );
    let (file, problem) = refusal(|path| fs::write(path.join("model.onnx"), b"a gra").unwrap());
    let expected = "holds 5 bytes, the manifest says 7";
    assert!(file == "model.onnx" && problem == expected, "{problem}");
    let (_, problem) = refusal(|path| fs::write(path.join("model.onnx"), [0; 99]).unwrap());
    assert_eq!(problem, "holds 99 bytes, the manifest says 7");
    let (file, problem) = refusal(|path| fs::remove_file(path.join("tokenizer.json")).unwrap());
    assert!(
        file == "tokenizer.json" && problem == "the manifest lists this file, but it is missing",
        "{problem}"
    );
    let (_, problem) = refusal(|path| {
        fs::remove_file(path.join("model.onnx")).unwrap();
        fs::create_dir(path.join("model.onnx")).unwrap();
    });
    assert_eq!(problem, "not a regular file");
}

#[test]
fn changed_manifests_are_refused() {
    let (file, problem) = refusal(|path| fs::remove_file(path.join("manifest.toml")).unwrap());
    assert!(
        file == "manifest.toml" && problem.starts_with("No such file"),
        "{problem}"
    );
    let (_, problem) =
        refusal(|path| edit_manifest(path, |text| text.replace("model.onnx", "m.onnx")));
    assert!(
        problem.starts_with("files is without model.onnx"),
        "{problem}"
    );
    let (file, problem) =
        refusal(|path| edit_manifest(path, |text| text.replace("samples = 4", "samples = 5")));
    let expected = "tensor `input.pixels` holds 4 samples, the manifest says 5";
    assert!(
        file == "golden.safetensors" && problem == expected,
        "{problem}"
    );
    let (_, problem) = refusal(|path| fs::write(path.join("manifest.toml"), [0xff, 0xfe]).unwrap());
    assert!(problem.starts_with("invalid utf-8"), "{problem}");
    let (_, problem) = refusal(|path| {
        fs::write(path.join("manifest.toml"), vec![b'#'; (1 << 20) + 1]).unwrap();
    });
    assert_eq!(problem, "holds 1048577 bytes, at most 1048576 are allowed");
}

#[test]
fn golden_samples_must_fit_the_signature() {
    type Spoil = fn(&mut GoldenSamples);
    let cases: [(Spoil, &str); 4] = [
        (
            |golden| drop(golden.inputs.remove("pixels")),
            "tensor `input.pixels` is in the signature",
        ),
        (
            |golden| {
                let extra = Tensor::new::<u8>([4], vec![0; 4]).unwrap();
                golden.inputs.insert("more".into(), extra);
            },
            "tensor `input.more` is not in the signature",
        ),
        (
            |golden| {
                let integers = Tensor::new::<i32>([4, 10], [0; 40]).unwrap();
                golden.outputs.insert("probabilities".into(), integers);
            },
            "tensor `output.probabilities` is INT32, the signature says FP32",
        ),
        (
            |golden| {
                let fewer = Tensor::new::<f32>([3, 10], [0.0; 30]).unwrap();
                golden.outputs.insert("probabilities".into(), fewer);
            },
            "tensor `output.probabilities` has shape [3, 10], the signature says [N, 10]",
        ),
    ];
    let models = tempfile::tempdir().unwrap();
    for (spoil, message) in cases {
        let mut contents = contents(b"a graph");
        spoil(&mut contents.golden);
        let error = write_bundle(models.path(), contents)
            .unwrap_err()
            .to_string();
        assert!(error.contains(message), "{error}");
    }
    assert_eq!(
        fs::read_dir(models.path()).unwrap().count(),
        0,
        "nothing may be written"
    );
}

#[test]
fn golden_samples_without_elements_show_nothing() {
    let models = tempfile::tempdir().unwrap();
    let mut contents = contents(b"a graph");
    contents.manifest.outputs[0].role = None;
    contents.manifest.outputs[0].shape = vec!["N".into(), "L".into(), usize::MAX.into()];
    let none = Tensor::new::<f32>([SAMPLES, 0, usize::MAX], []).unwrap();
    contents.golden.outputs.insert("probabilities".into(), none);
    let error = write_bundle(models.path(), contents).unwrap_err();
    let expected = "tensor `output.probabilities` has no elements";
    assert_eq!(error.problem, expected);
}

#[test]
fn a_text_model_is_not_written_without_its_tokeniser() {
    let models = tempfile::tempdir().unwrap();
    let mut contents = contents(b"a graph");
    contents.manifest.preprocessing = Some(Preprocessing::of(&TextSpec::end_of(9)));
    contents.extra.clear();
    let error = write_bundle(models.path(), contents).unwrap_err().problem;
    assert!(
        error.starts_with("files is without tokenizer.json"),
        "{error}"
    );
}

/// Opening a pipe waits for a writer.
#[cfg(unix)]
#[test]
fn a_named_pipe_is_refused() {
    let (file, problem) = refusal(|path| {
        let path = path.join("model.onnx");
        fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
    });
    assert_eq!((&*file, &*problem), ("model.onnx", "not a regular file"));
}

#[test]
fn a_bundle_in_the_wrong_place_is_refused() {
    for place in ["mlp/4", "cnn/3", "mlp/03"] {
        let (models, path) = written();
        let target = models.path().join(place);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::rename(path, &target).unwrap();
        let error = Bundle::open(&target).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("so the folder must end in mlp/3"),
            "{error}"
        );
    }
}
