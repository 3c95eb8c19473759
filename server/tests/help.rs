//! The help text, pinned.

use std::process::{Command, Stdio};

use expect_test::expect;

#[test]
fn quintet_server() {
    let output = Command::new(env!("CARGO_BIN_EXE_quintet-server"))
        .arg("--help")
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .expect("quintet-server runs");
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).expect("the help is UTF-8");
    // clap indents empty lines.
    let help: String = help
        .lines()
        .flat_map(|line| [line.trim_end(), "\n"])
        .collect();
    expect![[r#"
        The Quintet model server: gRPC with dynamic batching over ONNX Runtime.

        Every option can also stand in the file named by --config, under the same name with underscores;
        those of batching in the table `batching` for all models and in `models.NAME` for one.

        Usage: quintet-server [OPTIONS] [COMMAND]

        Commands:
          healthcheck  Ask the running server that has these options whether it is ready: exit code 0 if it
                       is, else 1 and the reason
          help         Print this message or the help of the given subcommand(s)

        Options:
              --config <FILE>
                  TOML file with these options; flags and variables win over it

                  [env: QUINTET_CONFIG=]

              --models-dir <DIR>
                  The model repository: a folder of NAME/VERSION/ bundles [default: models]

                  [env: QUINTET_MODELS_DIR=]

              --listen <ADDR>
                  Where gRPC is served [default: 127.0.0.1:50051]

                  [env: QUINTET_LISTEN=]

              --admin-listen <ADDR>
                  Where /metrics, /healthz and /readyz are served over HTTP [default: 127.0.0.1:9464]

                  [env: QUINTET_ADMIN_LISTEN=]

              --device <DEVICE>
                  Where models run: auto, cpu, cuda or cuda:N. A CUDA device asked for by name is had or the
                  start fails [default: auto]

                  [env: QUINTET_DEVICE=]

              --onnxruntime <FILE>
                  ONNX Runtime's shared library [default: $ORT_DYLIB_PATH, else lib/libonnxruntime.so beside
                  the program]

                  [env: QUINTET_ONNXRUNTIME=]

              --default-classifier <MODEL>
                  The classifier for requests that name no model [default: the first by name that is ready]

                  [env: QUINTET_DEFAULT_CLASSIFIER=]

              --default-sentiment-model <MODEL>
                  The sentiment model for requests that name no model [default: the first by name that is
                  ready]

                  [env: QUINTET_DEFAULT_SENTIMENT_MODEL=]

              --default-generator <MODEL>
                  The generator for requests that name no model [default: the first by name that is ready]

                  [env: QUINTET_DEFAULT_GENERATOR=]

              --required-models <MODELS>
                  Models without which the server is not ready, separated by commas [default: all in the
                  repository]

                  [env: QUINTET_REQUIRED_MODELS=]

              --max-batch-size <ROWS>
                  The most rows that one run takes [default: 32]

                  [env: QUINTET_MAX_BATCH_SIZE=]

              --max-queue-delay <TIME>
                  How long the oldest row may wait for company while an instance is idle [default: 0s]

                  [env: QUINTET_MAX_QUEUE_DELAY=]

              --max-queue-size <ROWS>
                  The most rows that may wait for one model; more are refused [default: 512]

                  [env: QUINTET_MAX_QUEUE_SIZE=]

              --instances <N>
                  Instances of each model, a thread and a session each [default: one per core on a CPU, one
                  on a GPU]

                  [env: QUINTET_INSTANCES=]

              --max-inline-compute <TIME>
                  A batch that is expected to take no longer runs on the I/O thread that brought it; 0s:
                  none does [default: 250us]

                  [env: QUINTET_MAX_INLINE_COMPUTE=]

              --io-threads <N>
                  Threads that serve gRPC connections, each with a runtime of its own [default: one per
                  core]

                  [env: QUINTET_IO_THREADS=]

              --busy-poll <TIME>
                  How long an I/O thread that has answered everything looks for the next request before it
                  sleeps, while requests come that soon as a rule; 0s: not at all [default: 200us]

                  [env: QUINTET_BUSY_POLL=]

              --intra-op-threads <N>
                  Threads that one run of a model may use inside ONNX Runtime [default: 1]

                  [env: QUINTET_INTRA_OP_THREADS=]

              --max-images-per-request <N>
                  The most images that one request may hold [default: 256]

                  [env: QUINTET_MAX_IMAGES_PER_REQUEST=]

              --max-image-pixels <N>
                  The most pixels that one image may have [default: 16777216]

                  [env: QUINTET_MAX_IMAGE_PIXELS=]

              --max-texts-per-request <N>
                  The most texts that one request may hold [default: 256]

                  [env: QUINTET_MAX_TEXTS_PER_REQUEST=]

              --max-text-bytes <BYTES>
                  The longest text in bytes; all of it is tokenised, though the model may read its end only
                  [default: 1048576]

                  [env: QUINTET_MAX_TEXT_BYTES=]

              --max-images-per-generation <N>
                  The most images that one GenerateDigits may ask for [default: 1024]

                  [env: QUINTET_MAX_IMAGES_PER_GENERATION=]

              --max-images-per-generation-stream <N>
                  The most images that one GenerateDigitsStream may ask for [default: 100000]

                  [env: QUINTET_MAX_IMAGES_PER_GENERATION_STREAM=]

              --max-candidates-per-image <N>
                  How many candidates may be drawn for each image asked for, where not every one will do
                  [default: 256]

                  [env: QUINTET_MAX_CANDIDATES_PER_IMAGE=]

              --max-message-size <BYTES>
                  The largest request in bytes [default: 16777216]

                  [env: QUINTET_MAX_MESSAGE_SIZE=]

              --shutdown-delay <TIME>
                  How long to go on serving, no longer ready, before a shutdown begins, so that load
                  balancers notice [default: 0s]

                  [env: QUINTET_SHUTDOWN_DELAY=]

              --shutdown-timeout <TIME>
                  How long a shutdown may take to finish what was accepted [default: 30s]

                  [env: QUINTET_SHUTDOWN_TIMEOUT=]

              --log <FILTER>
                  What to log, in the words of tracing's EnvFilter, such as info or quintet_server=debug
                  [default: info]

                  [env: QUINTET_LOG=]

              --log-format <FORMAT>
                  How to log: auto (text at a terminal, else JSON), text or json [default: auto]

                  [env: QUINTET_LOG_FORMAT=]

          -h, --help
                  Print help (see a summary with '-h')

          -V, --version
                  Print version
    "#]].assert_eq(&help);
}
