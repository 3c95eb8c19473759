//! What the server can be told, by flag, by `QUINTET_*` variable or in a TOML file, in that order.

mod limits;
mod settings;

pub use settings::{Config, ConfigError, LogFormat};

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use serde::Deserialize;

use crate::environment::ort_dylib_path;

/// The Quintet model server: gRPC with dynamic batching over ONNX Runtime.
///
/// Every option can also stand in the file named by --config, under the same name with underscores; those of batching
/// in the table `batching` for all models and in `models.NAME` for one.
#[derive(Debug, Clone, Default, Parser, Deserialize)]
#[command(name = "quintet-server", version)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// What to do instead of serving.
    #[command(subcommand)]
    #[serde(skip)]
    pub command: Option<Command>,

    /// TOML file with these options; flags and variables win over it.
    #[arg(long, env = "QUINTET_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// The model repository: a folder of NAME/VERSION/ bundles [default: models].
    #[arg(long, env = "QUINTET_MODELS_DIR", value_name = "DIR")]
    pub models_dir: Option<PathBuf>,

    /// Where gRPC is served [default: 127.0.0.1:50051].
    #[arg(long, env = "QUINTET_LISTEN", value_name = "ADDR")]
    pub listen: Option<SocketAddr>,

    /// Where /metrics, /healthz and /readyz are served over HTTP [default: 127.0.0.1:9464].
    #[arg(long, env = "QUINTET_ADMIN_LISTEN", value_name = "ADDR")]
    pub admin_listen: Option<SocketAddr>,

    /// Where models run: auto, cpu, cuda or cuda:N. A CUDA device asked for by name is had or the start fails
    /// [default: auto].
    #[arg(long, env = "QUINTET_DEVICE", value_name = "DEVICE")]
    pub device: Option<String>,

    /// ONNX Runtime's shared library [default: $ORT_DYLIB_PATH, else lib/libonnxruntime.so beside the program].
    #[arg(long, env = "QUINTET_ONNXRUNTIME", value_name = "FILE")]
    pub onnxruntime: Option<PathBuf>,

    /// The classifier for requests that name no model [default: the first by name that is ready].
    #[arg(long, env = "QUINTET_DEFAULT_CLASSIFIER", value_name = "MODEL")]
    pub default_classifier: Option<String>,

    /// The sentiment model for requests that name no model [default: the first by name that is ready].
    #[arg(long, env = "QUINTET_DEFAULT_SENTIMENT_MODEL", value_name = "MODEL")]
    pub default_sentiment_model: Option<String>,

    /// The generator for requests that name no model [default: the first by name that is ready].
    #[arg(long, env = "QUINTET_DEFAULT_GENERATOR", value_name = "MODEL")]
    pub default_generator: Option<String>,

    /// Models without which the server is not ready, separated by commas [default: all in the repository].
    #[arg(
        long,
        env = "QUINTET_REQUIRED_MODELS",
        value_name = "MODELS",
        value_delimiter = ','
    )]
    pub required_models: Option<Vec<String>>,

    /// Batching of every model; in the file, the table `batching`.
    #[command(flatten)]
    pub batching: BatchingOptions,

    /// Batching of single models, in the file only: `models.NAME`.
    #[arg(skip)]
    pub models: BTreeMap<String, BatchingOptions>,

    /// Threads that serve gRPC connections, each with a runtime of its own [default: one per core].
    #[arg(long, env = "QUINTET_IO_THREADS", value_name = "N")]
    pub io_threads: Option<usize>,

    /// How long an I/O thread that has answered everything looks for the next request before it sleeps, while requests
    /// come that soon as a rule; 0s: not at all [default: 200us].
    #[arg(long, env = "QUINTET_BUSY_POLL", value_name = "TIME")]
    pub busy_poll: Option<String>,

    /// Threads that one run of a model may use inside ONNX Runtime [default: 1].
    #[arg(long, env = "QUINTET_INTRA_OP_THREADS", value_name = "N")]
    pub intra_op_threads: Option<usize>,

    /// The most images that one request may hold [default: 256].
    #[arg(long, env = "QUINTET_MAX_IMAGES_PER_REQUEST", value_name = "N")]
    pub max_images_per_request: Option<usize>,

    /// The most pixels that one image may have [default: 16777216].
    #[arg(long, env = "QUINTET_MAX_IMAGE_PIXELS", value_name = "N")]
    pub max_image_pixels: Option<u64>,

    /// The most texts that one request may hold [default: 256].
    #[arg(long, env = "QUINTET_MAX_TEXTS_PER_REQUEST", value_name = "N")]
    pub max_texts_per_request: Option<usize>,

    /// The longest text in bytes; all of it is tokenised, though the model may read its end only [default: 1048576].
    #[arg(long, env = "QUINTET_MAX_TEXT_BYTES", value_name = "BYTES")]
    pub max_text_bytes: Option<usize>,

    /// The most images that one GenerateDigits may ask for [default: 1024].
    #[arg(long, env = "QUINTET_MAX_IMAGES_PER_GENERATION", value_name = "N")]
    pub max_images_per_generation: Option<usize>,

    /// The most images that one GenerateDigitsStream may ask for [default: 100000].
    #[arg(
        long,
        env = "QUINTET_MAX_IMAGES_PER_GENERATION_STREAM",
        value_name = "N"
    )]
    pub max_images_per_generation_stream: Option<usize>,

    /// How many candidates may be drawn for each image asked for, where not every one will do [default: 256].
    #[arg(long, env = "QUINTET_MAX_CANDIDATES_PER_IMAGE", value_name = "N")]
    pub max_candidates_per_image: Option<usize>,

    /// The largest request in bytes [default: 16777216].
    #[arg(long, env = "QUINTET_MAX_MESSAGE_SIZE", value_name = "BYTES")]
    pub max_message_size: Option<usize>,

    /// How long to go on serving, no longer ready, before a shutdown begins, so that load balancers notice
    /// [default: 0s].
    #[arg(long, env = "QUINTET_SHUTDOWN_DELAY", value_name = "TIME")]
    pub shutdown_delay: Option<String>,

    /// How long a shutdown may take to finish what was accepted [default: 30s].
    #[arg(long, env = "QUINTET_SHUTDOWN_TIMEOUT", value_name = "TIME")]
    pub shutdown_timeout: Option<String>,

    /// What to log, in the words of tracing's EnvFilter, such as info or quintet_server=debug [default: info].
    #[arg(long, env = "QUINTET_LOG", value_name = "FILTER")]
    pub log: Option<String>,

    /// How to log: auto (text at a terminal, else JSON), text or json [default: auto].
    #[arg(long, env = "QUINTET_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<String>,
}

/// What the program can do beside serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Subcommand)]
pub enum Command {
    /// Ask the running server that has these options whether it is ready: exit code 0 if it is, else 1 and the reason.
    ///
    /// It finds the server by --admin-listen, QUINTET_ADMIN_LISTEN or the file.
    Healthcheck,
}

/// How requests become batches, in Triton's words.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchingOptions {
    /// The most rows that one run takes [default: 32].
    #[arg(long, env = "QUINTET_MAX_BATCH_SIZE", value_name = "ROWS")]
    pub max_batch_size: Option<usize>,

    /// How long the oldest row may wait for company while an instance is idle [default: 0s].
    #[arg(long, env = "QUINTET_MAX_QUEUE_DELAY", value_name = "TIME")]
    pub max_queue_delay: Option<String>,

    /// The most rows that may wait for one model; more are refused [default: 512].
    #[arg(long, env = "QUINTET_MAX_QUEUE_SIZE", value_name = "ROWS")]
    pub max_queue_size: Option<usize>,

    /// Instances of each model, a thread and a session each [default: one per core on a CPU, one on a GPU].
    #[arg(long, env = "QUINTET_INSTANCES", value_name = "N")]
    pub instances: Option<usize>,

    /// A batch that is expected to take no longer runs on the I/O thread that brought it; 0s: none does
    /// [default: 250us].
    #[arg(long, env = "QUINTET_MAX_INLINE_COMPUTE", value_name = "TIME")]
    pub max_inline_compute: Option<String>,
}

impl Options {
    /// Reads flags, variables and the file that they name; also what to do instead of serving.
    ///
    /// # Errors
    /// [`ConfigError`], naming the option, what came and what is allowed.
    pub fn load() -> Result<(Config, Option<Command>), ConfigError> {
        let options = Self::parse();
        let command = options.command;
        let config = options.into_config(ort_dylib_path())?;
        Ok((config, command))
    }
}
