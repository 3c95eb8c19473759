//! The program from outside: flags, exit codes, files.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use quintet_bundle::{Bundle, Provenance, task};

use crate::support::{digits, write_idx};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quintet-trainer"));
    command.args(arguments).args(["--threads", "1"]);
    command
}

pub(crate) fn trainer(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn what_is_wrong_with_the_flags_is_said_with_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("my.toml");
    std::fs::write(&recipe, "architecture = \"cnn\"\nepoch = 3\n").unwrap();
    let here = text(folder.path());
    let runs = folder.path().join("runs");
    let cases: [(&[&str], &str); 9] = [
        (
            &["train", "lstm", "--data", "fashion-mnist"],
            "--data is fashion-mnist, allowed: lstm learns from IMDB alone",
        ),
        (
            &["train", "gan", "--data", "fashion-mnist"],
            "gan learns from MNIST alone",
        ),
        (&["train", "mlp", "--device", "gpu"], "auto, cpu, cuda"),
        (
            &["train", "vgg"],
            "mlp, cnn, resnet, fashion, simple_rnn, lstm, transformer, gan, all",
        ),
        (
            &["train", "mlp", "--data-dir", "/nowhere"],
            "--data-dir is /nowhere",
        ),
        (
            &["train", "lstm", "--data-dir", "/nowhere"],
            "--data-dir is /nowhere",
        ),
        (
            &["train", "mlp", "--data-dir", here, "--epochs", "0"],
            "epochs is 0, allowed: 1 to",
        ),
        (
            &[
                "train",
                "cnn",
                "--data-dir",
                here,
                "--recipe",
                text(&recipe),
            ],
            "unknown field `epoch`",
        ),
        (
            &["train", "mlp", "--data-dir", here, "--device", "cuda:4096"],
            "device is cuda:4096",
        ),
    ];
    for (arguments, expected) in cases {
        let output = trainer(&[arguments, &["--runs-dir", text(&runs)]].concat());
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(expected), "{arguments:?}: {message}");
        assert!(!runs.exists(), "{arguments:?} left files");
    }
}

#[test]
fn training_writes_a_bundle_that_evaluates() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_idx(folder.path(), "train", &digits(300, 1));
    write_idx(folder.path(), "t10k", &digits(60, 2));
    let (data, models, runs) = (folder.path(), path("models"), path("runs"));
    let (data, models_dir, runs_dir) = (text(data), text(&models), text(&runs));
    let common = [
        "--data-dir",
        data,
        "--models-dir",
        models_dir,
        "--runs-dir",
        runs_dir,
    ];
    let recipe = ["--recipe", "original", "--epochs", "8", "--device", "cpu"];
    let train = [&["train", "mlp"], &recipe[..], &common].concat();
    // There is nothing to resume yet: a job that is started again and again with the same command
    // starts at the first epoch.
    let output = trainer(&[&train[..], &["--resume"]].concat());
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    assert!(
        message.contains("epoch 8/8"),
        "plain lines where there is no terminal: {message}"
    );

    let bundle = Bundle::open(&models.join("mlp/1")).unwrap();
    let manifest = bundle.manifest();
    assert_eq!(manifest.task, task::IMAGE_CLASSIFICATION);
    let Provenance::Trained(training) = &manifest.provenance else {
        panic!("{:?}", manifest.provenance);
    };
    assert_eq!(training.threads, Some(1));
    assert_eq!(manifest.parameters, 109_386);
    assert_eq!((training.train_samples, training.epochs), (240, 8));
    assert!(
        manifest.metrics["test_accuracy"] > 0.9,
        "{:?}",
        manifest.metrics
    );
    for picture in ["curves.png", "confusion.png", "images.png"] {
        assert!(
            image::open(runs.join("mlp").join(picture)).is_ok(),
            "{picture}"
        );
    }

    let home = path("home");
    std::fs::create_dir(&home).unwrap();
    let output = command(&["evaluate", text(&models.join("mlp/1")), "--data-dir", data])
        .env_remove("ORT_DISABLE_TELEMETRY")
        .env_remove("XDG_CACHE_HOME")
        .env("HOME", &home)
        .output()
        .unwrap();
    let traces = std::fs::read_dir(&home).unwrap().count();
    assert_eq!(traces, 0, "ONNX Runtime's telemetry has begun");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && report.contains("of 60)"),
        "{report}"
    );
    assert!(report.contains("true \\ given"), "{report}");

    // A finished run can be exported again, as another version; it gives the same file.
    let export = [&["export", "mlp", "--model-version", "2"], &common[..]].concat();
    assert!(trainer(&export).status.success());
    assert_eq!(
        Bundle::open(&models.join("mlp/2")).unwrap().model(),
        bundle.model()
    );

    let int8 = ["--quantize", "int8", "--int8-saturation", "allowed"];
    let output = trainer(&[&export[..], &int8].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("float32 for mlp"));

    let output = trainer(&[&train[..], &["--resume", "--seed", "9"]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("another recipe"));
}

#[test]
fn a_network_learns_other_images_under_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let garments = path("fashion-mnist");
    std::fs::create_dir(&garments).unwrap();
    write_idx(&garments, "train", &digits(300, 1));
    write_idx(&garments, "t10k", &digits(60, 2));
    let (data, models, runs) = (folder.path(), path("models"), path("runs"));
    let common = ["--data-dir", text(data), "--models-dir", text(&models)];
    let common = [
        &common[..],
        &["--runs-dir", text(&runs), "--data", "fashion-mnist"],
    ]
    .concat();
    let train = ["train", "mlp", "--epochs", "1", "--device", "cpu"];
    let output = trainer(&[&train, &common[..]].concat());
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    assert!(
        trainer(&[&["export", "mlp"], &common[..]].concat())
            .status
            .success()
    );

    let path = models.join("mlp-fashion-mnist/1");
    let bundle = Bundle::open(&path).unwrap();
    let manifest = bundle.manifest();
    assert_eq!(manifest.name, "mlp-fashion-mnist");
    assert_eq!(manifest.labels[9], "Ankle boot");
    assert!(!models.join("mlp").exists() && !runs.join("mlp").exists());

    let output = trainer(&["evaluate", text(&path), "--data-dir", text(data)]);
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(report.contains("Ankle boot"), "{report}");
}

#[test]
fn sigterm_stops_cleanly_and_keeps_the_best_so_far() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_idx(folder.path(), "train", &digits(300, 1));
    write_idx(folder.path(), "t10k", &digits(60, 2));
    let (models, runs) = (path("models"), path("runs"));
    let common = [
        "--data-dir",
        text(folder.path()),
        "--models-dir",
        text(&models),
    ];
    let common = [&common[..], &["--runs-dir", text(&runs)]].concat();

    // More epochs than anyone waits for.
    let mut child = Command::new(env!("CARGO_BIN_EXE_quintet-trainer"))
        .args([
            "train",
            "mlp",
            "--epochs",
            "10000",
            "--device",
            "cpu",
            "--threads",
            "1",
        ])
        .args(&common)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("epoch     1/10000")));
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(lines.any(|line| line.starts_with("stopped; the best epoch so far is in")));
    assert_eq!(child.wait().unwrap().code(), Some(130));

    assert!(!models.exists(), "nobody asked for a bundle of half a run");
    assert!(
        trainer(&[&["export", "mlp"], &common[..]].concat())
            .status
            .success()
    );
    assert_eq!(
        Bundle::open(&models.join("mlp/1")).unwrap().manifest().name,
        "mlp"
    );
}
