//! What options become: defaults, precedence, and refusals.

use clap::Parser;

use super::*;

fn options(arguments: &[&str]) -> Options {
    Options::parse_from(["quintet-server"].iter().chain(arguments))
}

fn config(arguments: &[&str]) -> Result<Config, ConfigError> {
    options(arguments).into_config(None)
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
        "log = \"warn\"\n[batching]\nmax_batch_size = 8\nmax_queue_size = 512\n[models.cnn]\ninstances = 3\n",
    );
    let config = config(&["--config", &path, "--max-batch-size", "4"]).unwrap();
    let plain = config
        .settings("", config.batching.clone(), Device::Cpu)
        .unwrap();
    assert_eq!(
        (plain.max_batch_size, plain.max_queue_size, plain.instances),
        (4, 512, config.cores)
    );
    let cnn = config.models["cnn"].clone().or(config.batching.clone());
    assert_eq!(config.settings("", cnn, Device::Cpu).unwrap().instances, 3);
    assert_eq!(
        config
            .settings("", config.batching.clone(), Device::Cuda(0))
            .unwrap()
            .instances,
        1
    );
    assert_eq!(config.log, "warn");
    assert_eq!(config.busy_poll, Duration::from_micros(200));
    assert_eq!(config.listen, "127.0.0.1:50051".parse().unwrap());
}

#[test]
fn busy_polling_can_be_left_out() {
    let config = config(&["--busy-poll", "0s"]).unwrap();
    assert!(config.busy_poll.is_zero());
}

#[test]
fn what_cannot_be_used_is_named() {
    let (_folder, unknown) = file("[batching]\nmax_bach_size = 8\n");
    let (_folder2, nested) = file("[models.mlp]\nmax_queue_size = 3\n");
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
fn onnx_runtime_is_looked_for_in_order() {
    let from_environment = || Some(PathBuf::from("/env/lib.so"));
    let flagged = options(&["--onnxruntime", "/flag/lib.so"])
        .into_config(from_environment())
        .unwrap();
    assert_eq!(flagged.onnxruntime, Path::new("/flag/lib.so"));
    let set = options(&[]).into_config(from_environment()).unwrap();
    assert_eq!(set.onnxruntime, Path::new("/env/lib.so"));
    assert!(
        config(&[])
            .unwrap()
            .onnxruntime
            .ends_with("lib/libonnxruntime.so")
    );
}
