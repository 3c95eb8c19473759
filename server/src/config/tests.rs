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
            vec!["--max-bytes-in-flight", "1000"],
            "max_bytes_in_flight",
            "1000 bytes cannot hold one request of max_message_size, which is 16777216",
        ),
        (
            vec!["--max-connection-age", "0s"],
            "max_connection_age",
            "`0s` is too short; at least 1s",
        ),
        (
            vec!["--max-connection-age", "1ns"],
            "max_connection_age",
            "`1ns` is too short; at least 1s",
        ),
        (
            vec!["--config", "/nowhere/quintet.toml"],
            "config",
            "/nowhere/quintet.toml",
        ),
        (vec!["--config", &unknown], "config", "max_bach_size"),
        (vec!["--config", &misplaced], "config", "`instances`"),
        (
            vec!["--config", &no_number],
            "config",
            "io_threads is a string; an integer",
        ),
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
fn a_password_in_a_url_is_refused_and_not_repeated() {
    for url in [
        "http://user:SECRET@host:4317",
        "https://user:SECRET@host",
        "http://user:SECRET@",
        "user:SECRET@host",
        "http://user:SECRET x@host",
    ] {
        let error = config(&["--otlp-endpoint", url]).unwrap_err();
        assert_eq!(error.option, "otlp_endpoint");
        assert!(error.problem.contains("user information"), "{error}");
        assert!(!error.to_string().contains("SECRET"), "{error}");
    }
    config(&["--otlp-endpoint", "http://host:4317"]).unwrap();
}

#[test]
fn a_budget_holds_one_request() {
    config(&["--max-bytes-in-flight=1000", "--max-message-size=1000"]).unwrap();
    config(&["--max-connection-age", "1s"]).unwrap();
}

#[test]
fn an_option_in_the_file_is_named_with_its_line() {
    let too_large = "max_batch_size = 99999999999999999999999999";
    for (text, option, words) in [
        (
            "# late\nshutdown_delay = \"late\"",
            "shutdown_delay",
            "30s or 2min (FILE:2)",
        ),
        (
            "[batching]\n\ninstances = 0",
            "instances",
            "at least 1 is needed (FILE:3)",
        ),
        (
            "[models]\nmlp.instances = 0",
            "models.mlp.instances",
            "at least 1 is needed (FILE:2)",
        ),
        (
            "[models.mlp]\n\n\nlisten = 1",
            "config",
            "FILE:4: unknown option `listen`",
        ),
        (
            "\nlog = 1.5",
            "config",
            "FILE:2: log is a float; a text, an integer",
        ),
        (
            "\n\nlisten = \"here\"",
            "config",
            "FILE:3: error: invalid value 'here' for '--listen",
        ),
        (
            "\n[models.mlp]\nmax_batch_size = \"8\"",
            "config",
            "FILE:3: max_batch_size is a string",
        ),
        (too_large, "config", "FILE: TOML parse error at line 1"),
    ] {
        let (_folder, path) = file(text);
        let error = config(&["--config", &path]).unwrap_err();
        assert_eq!(error.option, option, "{error}");
        let problem = error.problem.replace(&path, "FILE");
        assert!(problem.contains(words), "{error}");
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
    assert_eq!(config.limits.text.max_texts_per_request, 9);
}

#[test]
fn an_empty_list_of_required_models_means_all() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().display().to_string();
    let (_folder, path) = file("required_models = []\n");
    for list in [["--config", path.as_str()], ["--required-models", ""]] {
        let arguments = [&["--models-dir", models.as_str()][..], &list].concat();
        let config = config(&arguments).unwrap();
        let repository = config.repository.find().unwrap();
        let all = ["there is no model in the repository"];
        assert_eq!(repository.unready(), all, "{list:?}");
    }
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

#[test]
fn the_configuration_is_printed_with_its_sources() {
    let (_folder, path) = file(
        "log = \"warn\"\nmax_message_size = 9000\n[batching]\nmax_queue_size = 640\n[models.cnn]\ninstances = 3\n",
    );
    let given = ["--config", &path, "--print-config", "--max-batch-size", "4"];
    let printed = config(&given).unwrap().printed.unwrap();
    let lines: Vec<_> = printed
        .lines()
        .map(|line| line.replace(&path, "FILE"))
        .collect();
    for line in [
        "listen = \"127.0.0.1:50051\" # default",
        "log = \"warn\" # FILE",
        "max_message_size = 9000 # FILE",
        "# io_threads is not set: one per core",
        "# tokens is not set",
        "[batching]",
        "max_batch_size = 4 # flag",
        "max_queue_size = 640 # FILE",
        "[models.\"cnn\"]",
        "instances = 3",
    ] {
        assert!(lines.iter().any(|it| it == line), "{line}: {printed}");
    }
    // It is a file that says the same.
    let (_folder, again) = file(&printed);
    let given = ["--config", &again, "--print-config"];
    let printed_again = config(&given).unwrap().printed.unwrap();
    let values = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| line.split(" # ").next());
        lines
            .map(|line| line.unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(values(&printed), values(&printed_again));
    assert_eq!(config(&["--max-batch-size", "4"]).unwrap().printed, None);
}
