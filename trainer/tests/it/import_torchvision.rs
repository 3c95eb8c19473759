//! `import torchvision`: files of random weights, and those that are refused.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use quintet_bundle::image::{Filter, Fit, ImageSpec};
use quintet_bundle::{Bundle, Provenance, Role, sha256_hex};
use quintet_trainer::cli;
use quintet_trainer::error::Error;
use quintet_trainer::models::resnet::{Depth, imagenet};
use tch::{Device, Kind, Tensor, nn};
use tempfile::TempDir;

use crate::support::alone;

const CLASSES: i64 = 5;

/// The weights of a fresh ResNet-18 with the counters that torchvision keeps, by name.
fn weights() -> HashMap<String, Tensor> {
    tch::manual_seed(3);
    let store = nn::VarStore::new(Device::Cpu);
    let _ = imagenet(&store.root(), Depth::ResNet18, CLASSES);
    let mut weights = store.variables();
    let norms: Vec<String> = weights
        .keys()
        .filter_map(|it| it.strip_suffix("running_mean").map(str::to_owned))
        .collect();
    for norm in norms {
        let count = Tensor::from(7_i64);
        weights.insert(format!("{norm}num_batches_tracked"), count);
        // A block's last scale starts at zero, which would hide its body.
        let _ = tch::no_grad(|| weights[&format!("{norm}weight")].shallow_clone().fill_(0.7));
    }
    weights
}

/// A folder with the file and its labels.
fn folder(weights: &HashMap<String, Tensor>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let pairs: Vec<_> = weights.iter().collect();
    Tensor::write_safetensors(&pairs, folder.path().join("weights.safetensors")).unwrap();
    fs::write(
        folder.path().join("labels.txt"),
        "cat\ndog\nship\ncar\nbird\n",
    )
    .unwrap();
    folder
}

fn import(folder: &Path, more: &[&str]) -> Result<Bundle, Error> {
    let path = |name: &str| folder.join(name).display().to_string();
    let (file, labels, models) = (
        path("weights.safetensors"),
        path("labels.txt"),
        path("models"),
    );
    let arguments = [
        "quintet-trainer",
        "import",
        "torchvision",
        &file,
        "--labels",
        &labels,
        "--name",
        "photos",
        "--models-dir",
        &models,
        "--licence",
        "BSD-3-Clause",
    ];
    let more = if more.contains(&"--architecture") {
        more.to_vec()
    } else {
        [&["--architecture", "resnet18"], more].concat()
    };
    cli::run(arguments.into_iter().chain(more), &[], &mut Vec::new())?;
    Ok(Bundle::open(&folder.join("models/photos/1"))?)
}

#[test]
fn a_file_of_weights_becomes_a_bundle() {
    let _turn = alone();
    let weights = weights();
    let folder = folder(&weights);
    let bundle = import(folder.path(), &["--preprocessing", "timm"]).unwrap();
    let manifest = bundle.manifest();
    assert_eq!(manifest.architecture, "resnet18");
    assert_eq!(manifest.parameters, 11_179_077);
    assert_eq!(manifest.labels, ["cat", "dog", "ship", "car", "bird"]);
    assert!(manifest.golden.self_made && manifest.golden.samples == 8);
    let spec: ImageSpec = manifest.spec().unwrap();
    let fit = Fit::Crop {
        shorter_side: 235,
        filter: Filter::Bicubic,
    };
    assert_eq!((spec.width, spec.height, spec.fit), (224, 224, fit));
    let pixels = manifest.input(Role::Pixels).unwrap();
    assert_eq!(pixels.shape_text(), "[N, 224, 224, 3]");
    assert!(manifest.output(Role::Logits).is_some());
    let Provenance::Imported(origin) = &manifest.provenance else {
        panic!("{:?}", manifest.provenance)
    };
    let file = fs::read(folder.path().join("weights.safetensors")).unwrap();
    assert_eq!(origin.sha256, sha256_hex(&file));
    assert_eq!(origin.licence, "BSD-3-Clause");
    let sample = &bundle.golden().inputs[&pixels.name];
    assert_eq!(sample.shape(), [8, 224, 224, 3]);
    let outputs = &bundle.golden().outputs[&manifest.outputs[0].name];
    let spread = outputs.to_vec::<f32>().unwrap();
    let differ = spread.iter().any(|it| (it - spread[0]).abs() > 0.01);
    assert!(differ, "too even to prove anything: {spread:?}");
}

/// What is said of the import after `change`, which leaves nothing behind.
fn refusal(change: impl Fn(&mut HashMap<String, Tensor>), more: &[&str]) -> String {
    let mut weights = weights();
    change(&mut weights);
    refusal_of(&folder(&weights), more)
}

fn refusal_of(folder: &TempDir, more: &[&str]) -> String {
    let message = import(folder.path(), more).unwrap_err().to_string();
    assert!(!folder.path().join("models").exists(), "{message}");
    message
}

#[track_caller]
fn says(message: &str, expected: &str) {
    assert!(
        message.contains(expected),
        "{expected} is not in: {message}"
    );
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let _turn = alone();
    let other = refusal(|_| (), &["--architecture", "resnet50"]);
    says(
        &other,
        "has the layers of resnet18; --architecture is resnet50",
    );
    let lacking = refusal(
        |it| it.retain(|name, _| name != "bn1.bias" && name != "layer3.1.bn2.running_var"),
        &[],
    );
    says(&lacking, "lacks tensor bn1.bias, layer3.1.bn2.running_var");
    let headless = refusal(|it| it.retain(|name, _| name != "fc.weight"), &[]);
    says(&headless, "lacks tensor fc.weight");
    let wrapped = refusal(
        |it| {
            let named = |(name, tensor)| (format!("module.{name}"), tensor);
            *it = it.drain().map(named).collect();
        },
        &[],
    );
    says(&wrapped, "`module.fc.weight` is there: take `module.` off");
    let with = |name: &'static str, tensor: &Tensor| {
        let change = |it: &mut HashMap<String, Tensor>| {
            it.insert(name.to_owned(), tensor.shallow_clone());
        };
        refusal(change, &[])
    };
    let further = with("aux.weight", &Tensor::from(1.0_f32));
    says(&further, "has what resnet18 has not: tensor aux.weight");
    let kernel = Tensor::zeros([64, 64, 5, 5], (Kind::Float, Device::Cpu));
    says(
        &with("layer1.0.conv1.weight", &kernel),
        "tensor layer1.0.conv1.weight is [64, 64, 5, 5]; [64, 64, 3, 3] is needed",
    );
    says(
        &with("fc.bias", &Tensor::from_slice(&[f32::NAN; 5])),
        "tensor fc.bias holds a number that is not finite",
    );
}

#[test]
fn files_that_do_not_fit_are_named() {
    let _turn = alone();
    let folder = folder(&weights());
    let with = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, content).unwrap();
        let message = refusal_of(&folder, &[]);
        fs::write(&path, whole).unwrap();
        message
    };
    let few = with("labels.txt", b"cat\ndog\n");
    says(&few, "labels.txt: holds 2 names; fc.weight has 5 rows");
    let twice = with("labels.txt", b"a\nb\na\nc\nd\n");
    says(
        &twice,
        "labels.txt: line 3 is `a`; each name must be there once",
    );
    let blank = with("labels.txt", b"a\nb\n\nc\nd\n");
    says(
        &blank,
        "labels.txt: line 3 is ``; each name must be there once",
    );
    let million = with("labels.txt", "label\n".repeat(1_000_000).as_bytes());
    says(
        &million,
        "labels.txt: holds 6000000 bytes; at most 1048576 are allowed",
    );
    let weights = "weights.safetensors";
    let archive = with(weights, b"PK\x03\x04archive/data.pkl");
    says(&archive, "is pickled, and reading it would run code");
    says(
        &with(weights, b"\x80\x02\x8a\x0al\xfc\x9cF\xf9"),
        "is pickled",
    );
    let endless = with(weights, b"\xff\xff\xff\xff\xff\xff\xff\x7f{}");
    says(&endless, "not a safetensors file");
    says(&refusal_of(&folder, &["--samples", "/nowhere"]), "/nowhere");
}
