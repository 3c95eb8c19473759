//! From data to an answer over the wire: a short training, its bundle, a server, a client. Needs
//! the trainer's program, hence libtorch (feature `trainer`).

use std::path::PathBuf;
use std::process::Command;

use quintet_data::mnist::{self, Split};
use quintet_e2e::server;

use crate::served_models::{DIGITS, accuracy};
use crate::support::{data_dir, variable};

/// The trainer named by QUINTET_TRAINER, or built beside this test.
fn trainer() -> PathBuf {
    if let Some(path) = variable("QUINTET_TRAINER") {
        return path.into();
    }
    let this = std::env::current_exe().expect("a test has a program");
    let folder = this.parent().and_then(|deps| deps.parent());
    folder
        .expect("target/debug/deps holds the tests")
        .join("quintet-trainer")
}

#[tokio::test]
async fn a_model_that_was_just_trained_is_served() {
    let Some(data) = data_dir() else { return };
    let trainer = trainer();
    assert!(
        trainer.exists(),
        "{} is missing: cargo build -p quintet-trainer",
        trainer.display()
    );
    let work = tempfile::tempdir().unwrap();
    let models = work.path().join("models");
    std::fs::create_dir(&models).unwrap();
    let output = Command::new(trainer)
        .args([
            "train", "mlp", "--recipe", "original", "--epochs", "1", "--seed", "7",
        ])
        .arg("--data-dir")
        .arg(&data)
        .arg("--models-dir")
        .arg(&models)
        .current_dir(work.path())
        .output()
        .expect("the trainer can be started");
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );

    let server = server().models_dir(&models).start().await;
    let digits = mnist::load(&data, Split::Test).unwrap();
    let accuracy = accuracy(&server.client().await, "mlp", (&digits, DIGITS), 1_000).await;
    assert!(accuracy > 0.90, "{accuracy}");
}
