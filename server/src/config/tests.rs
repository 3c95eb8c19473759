//! What options become: defaults, precedence, and refusals.

use std::path::Path;
use std::time::Duration;

use super::*;

fn config(arguments: &[&str]) -> Result<Config, ConfigError> {
    Config::read(["quintet-server"].iter().chain(arguments))
}

fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("quintet.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    (folder, path)
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    let (_folder, path) = file(
        "log = \"warn\"\n[batching]\nmax_batch_size = 8\nmax_queue_size = 640\n[models.cnn]\ninstances = 3\n",
    );
    let config = config(&["--config", &path, "--max-batch-size", "4"]).unwrap();
    let (all, cnn) = (&config.batching, &config.models["cnn"]);
    assert_eq!((all.max_batch_size, all.max_queue_size), (4, 640));
    assert_eq!(all.instances, None);
    assert_eq!((cnn.max_batch_size, cnn.max_queue_size), (4, 640));
    assert_eq!(cnn.instances, Some(3));
    assert_eq!(config.runtime.instances(Device::Cpu), cores());
    assert_eq!(config.runtime.instances(Device::Cuda(0)), 1);
    assert_eq!(config.log.log, "warn");
    assert_eq!(config.network.busy_poll, Duration::from_micros(200));
    assert_eq!(config.network.listen, "127.0.0.1:50051".parse().unwrap());
}

#[test]
fn busy_polling_can_be_left_out() {
    let config = config(&["--busy-poll", "0s"]).unwrap();
    assert!(config.network.busy_poll.is_zero());
}

#[test]
fn what_cannot_be_used_is_named() {
    let (_folder, unknown) = file("[batching]\nmax_bach_size = 8\n");
    let (_folder2, nested) = file("[models.mlp]\nmax_queue_size = 3\n");
    let (_folder3, misplaced) = file("instances = 8\n");
    let (_folder4, no_number) = file("io_threads = \"many\"\n");
    let (_folder5, late) = file("shutdown_delay = \"late\"\n");
    let (_folder6, zero) = file("[models.mlp]\ninstances = 0\n");
    for (arguments, option, words) in [
        (
            vec!["--device", "gpu"],
            "device",
            "`gpu` is none of auto, cpu, cuda",
        ),
        (
            vec!["--max-batch-size", "0"],
            "max_batch_size",
            "is 0; at least 1",
        ),
        (vec!["--instances", "0"], "instances", "is 0"),
        (
            vec!["--max-queue-delay", "soon"],
            "max_queue_delay",
            "`soon` is no time; write 500us",
        ),
        (
            vec!["--max-queue-size", "100"],
            "max_queue_size",
            "100 rows cannot hold one request",
        ),
        (
            vec!["--log-format", "xml"],
            "log_format",
            "`xml` is none of auto, text, json",
        ),
        (
            vec!["--config", "/nowhere/quintet.toml"],
            "config",
            "/nowhere/quintet.toml",
        ),
        (vec!["--config", &unknown], "config", "max_bach_size"),
        (vec!["--config", &misplaced], "config", "`instances`"),
        (vec!["--config", &no_number], "config", "'many'"),
        (
            vec!["--config", &late],
            "shutdown_delay",
            "`late` is no time",
        ),
        (vec!["--config", &zero], "models.mlp.instances", "is 0"),
        (
            vec!["--config", &nested],
            "models.mlp.max_queue_size",
            "3 rows cannot hold",
        ),
    ] {
        let error = config(&arguments).unwrap_err();
        assert_eq!(error.option, option, "{error}");
        assert!(error.problem.contains(words), "{error}");
    }
}

#[test]
fn a_models_own_table_wins_over_flags() {
    let (_folder, path) = file(
        "required_models = [\"cnn\", \"mlp\"]\nmax_texts_per_request = 9\n[models.cnn]\nmax_batch_size = 3\n",
    );
    let config = config(&["--config", &path, "--max-batch-size", "4"]).unwrap();
    assert_eq!(config.batching.max_batch_size, 4);
    assert_eq!(config.models["cnn"].max_batch_size, 3);
    assert_eq!(config.repository.required_models, ["cnn", "mlp"]);
    assert_eq!(config.limits.max_texts_per_request, 9);
}

#[test]
fn onnx_runtime_is_looked_for_in_order() {
    let library = |arguments: &[&str], variable: Option<&str>| {
        let config = config(arguments).unwrap();
        config.runtime.library(variable.map(PathBuf::from))
    };
    let flag = ["--onnxruntime", "/flag/lib.so"];
    let variable = Some("/env/lib.so");
    assert_eq!(library(&flag, variable), Path::new("/flag/lib.so"));
    assert_eq!(library(&[], variable), Path::new("/env/lib.so"));
    assert!(library(&[], None).ends_with("lib/libonnxruntime.so"));
}
