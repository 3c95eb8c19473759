//! Options checked and completed: what the rest of the server works with.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use quintet_bundle::Manifest;

use super::{BatchingOptions, Options};
use crate::batching::Settings;
use crate::runtime::{Device, DeviceChoice};
use crate::task::Limits;

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The model repository.
    pub models_dir: PathBuf,
    /// Where gRPC is served.
    pub listen: SocketAddr,
    /// Where HTTP is served.
    pub admin_listen: SocketAddr,
    /// The device asked for.
    pub device: DeviceChoice,
    /// ONNX Runtime's shared library.
    pub onnxruntime: PathBuf,
    /// The models for requests that name none, by the option that names them.
    pub default_models: BTreeMap<&'static str, String>,
    /// Models without which the server is not ready; empty: all.
    pub required_models: Vec<String>,
    /// Bounds on requests.
    pub limits: Limits,
    /// Threads that serve connections.
    pub io_threads: usize,
    /// How long they look for the next request before they sleep.
    pub busy_poll: Duration,
    /// Threads inside one run.
    pub intra_op_threads: usize,
    /// The largest request in bytes.
    pub max_message_size: usize,
    /// From unready to draining.
    pub shutdown_delay: Duration,
    /// From draining to the end.
    pub shutdown_timeout: Duration,
    /// What to log.
    pub log: String,
    /// How to log.
    pub log_format: LogFormat,
    /// Cores that this process may use; the cgroup's quota counts.
    pub cores: usize,
    batching: BatchingOptions,
    models: BTreeMap<String, BatchingOptions>,
}

/// Less than the requests that one connection may have open, so that a caller with a single connection is refused when
/// the server is full, rather than held back on its own side without a word.
const DEFAULT_MAX_QUEUE_SIZE: usize = 512;

/// A caller on the same machine, or one or two switches away, sends its next request within this.
const DEFAULT_BUSY_POLL: Duration = Duration::from_micros(200);

/// Holds the largest request of the default limits: 256 images of 224 x 224 x 3 float32 are 147 MiB. Of
/// rows as small as MNIST's the number meets its bound first.
const DEFAULT_MAX_QUEUE_BYTES: usize = 256 << 20;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text at a terminal, else JSON.
    Auto,
    /// For people.
    Text,
    /// For machines, an object a line.
    Json,
}

/// An option that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option}: {problem}")]
pub struct ConfigError {
    /// The option's name.
    pub option: String,
    /// What came and what is allowed.
    pub problem: String,
}

impl Options {
    /// Completes the options from their file and the defaults, and checks them. `ort_dylib_path`: where the
    /// environment says that ONNX Runtime is.
    pub fn into_config(self, ort_dylib_path: Option<PathBuf>) -> Result<Config, ConfigError> {
        let file = match &self.config {
            Some(path) => read(path)?,
            None => Self::default(),
        };
        let limits = self.limits(&file)?;
        let default_models = self.default_models(&file);
        let device = match self.device.or(file.device) {
            Some(text) => text.parse().map_err(|problem| error("device", problem))?,
            None => DeviceChoice::Auto,
        };
        let log_format = match self.log_format.or(file.log_format).as_deref() {
            None | Some("auto") => LogFormat::Auto,
            Some("text") => LogFormat::Text,
            Some("json") => LogFormat::Json,
            Some(other) => {
                return Err(error(
                    "log_format",
                    format!("`{other}` is none of auto, text, json"),
                ));
            }
        };
        let cores = available_parallelism().map_or(1, usize::from);
        let config = Config {
            models_dir: self
                .models_dir
                .or(file.models_dir)
                .unwrap_or_else(|| "models".into()),
            listen: self
                .listen
                .or(file.listen)
                .unwrap_or_else(|| ([127, 0, 0, 1], 50051).into()),
            admin_listen: self
                .admin_listen
                .or(file.admin_listen)
                .unwrap_or_else(|| ([127, 0, 0, 1], 9464).into()),
            device,
            onnxruntime: self
                .onnxruntime
                .or(file.onnxruntime)
                .or(ort_dylib_path)
                .unwrap_or_else(beside_the_program),
            default_models,
            required_models: self
                .required_models
                .or(file.required_models)
                .unwrap_or_default(),
            limits,
            io_threads: at_least_one(
                "io_threads",
                self.io_threads.or(file.io_threads).unwrap_or(cores),
            )?,
            busy_poll: duration(
                "busy_poll",
                self.busy_poll.or(file.busy_poll),
                DEFAULT_BUSY_POLL,
            )?,
            intra_op_threads: at_least_one(
                "intra_op_threads",
                self.intra_op_threads.or(file.intra_op_threads).unwrap_or(1),
            )?,
            max_message_size: at_least_one(
                "max_message_size",
                self.max_message_size
                    .or(file.max_message_size)
                    .unwrap_or(16 << 20),
            )?,
            shutdown_delay: duration(
                "shutdown_delay",
                self.shutdown_delay.or(file.shutdown_delay),
                Duration::ZERO,
            )?,
            shutdown_timeout: duration(
                "shutdown_timeout",
                self.shutdown_timeout.or(file.shutdown_timeout),
                Duration::from_secs(30),
            )?,
            log: self.log.or(file.log).unwrap_or_else(|| "info".to_owned()),
            log_format,
            cores,
            batching: self.batching.or(file.batching),
            models: file.models,
        };
        // Every model's settings are checked now, before a port is bound.
        for (place, options) in config
            .models
            .iter()
            .map(|(name, options)| (format!("models.{name}."), options))
        {
            config.settings(
                &place,
                options.clone().or(config.batching.clone()),
                Device::Cpu,
            )?;
        }
        config.settings("", config.batching.clone(), Device::Cpu)?;
        Ok(config)
    }
}

impl Config {
    /// The batching settings of one model on this device.
    pub fn batching(&self, manifest: &Manifest, device: Device) -> Settings {
        let own = self.models.get(&manifest.name).cloned().unwrap_or_default();
        self.settings("", own.or(self.batching.clone()), device)
            .expect("every model's settings were checked when the configuration was made")
    }

    fn settings(
        &self,
        place: &str,
        options: BatchingOptions,
        device: Device,
    ) -> Result<Settings, ConfigError> {
        let default_instances = match device {
            // Several one-thread instances beat one with many threads.
            Device::Cpu => self.cores.div_ceil(self.intra_op_threads),
            Device::Cuda(_) => 1,
        };
        let name = |option: &str| format!("{place}{option}");
        let settings = Settings {
            max_batch_size: at_least_one(
                &name("max_batch_size"),
                options.max_batch_size.unwrap_or(32),
            )?,
            max_queue_delay: duration(
                &name("max_queue_delay"),
                options.max_queue_delay,
                Duration::ZERO,
            )?,
            max_queue_size: at_least_one(
                &name("max_queue_size"),
                options.max_queue_size.unwrap_or(DEFAULT_MAX_QUEUE_SIZE),
            )?,
            max_queue_bytes: at_least_one(
                &name("max_queue_bytes"),
                options.max_queue_bytes.unwrap_or(DEFAULT_MAX_QUEUE_BYTES),
            )?,
            instances: at_least_one(
                &name("instances"),
                options.instances.unwrap_or(default_instances),
            )?,
            max_inline_compute: duration(
                &name("max_inline_compute"),
                options.max_inline_compute,
                Duration::from_micros(250),
            )?,
        };
        let (queue, limits) = (settings.max_queue_size, self.limits);
        for (limit, rows) in [
            ("max_images_per_request", limits.classify.max_images),
            ("max_texts_per_request", limits.sentiment.max_texts),
        ] {
            if queue < rows {
                let problem = format!(
                    "{queue} rows cannot hold one request of {limit} ({rows}); raise it or lower that"
                );
                return Err(error(&name("max_queue_size"), problem));
            }
        }
        Ok(settings)
    }
}

impl BatchingOptions {
    /// These options, and where they say nothing, those.
    fn or(self, other: Self) -> Self {
        Self {
            max_batch_size: self.max_batch_size.or(other.max_batch_size),
            max_queue_delay: self.max_queue_delay.or(other.max_queue_delay),
            max_queue_size: self.max_queue_size.or(other.max_queue_size),
            max_queue_bytes: self.max_queue_bytes.or(other.max_queue_bytes),
            instances: self.instances.or(other.instances),
            max_inline_compute: self.max_inline_compute.or(other.max_inline_compute),
        }
    }
}

fn read(path: &Path) -> Result<Options, ConfigError> {
    let problem = |text: String| error("config", format!("{}: {text}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
    toml::from_str(&text).map_err(|error| problem(error.to_string()))
}

fn beside_the_program() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.with_file_name("lib").join("libonnxruntime.so")
}

pub(super) fn at_least_one(option: &str, value: usize) -> Result<usize, ConfigError> {
    if value == 0 {
        Err(error(option, "is 0; at least 1 is needed".to_owned()))
    } else {
        Ok(value)
    }
}

fn duration(
    option: &str,
    text: Option<String>,
    default: Duration,
) -> Result<Duration, ConfigError> {
    let Some(text) = text else { return Ok(default) };
    humantime::parse_duration(&text).map_err(|_| {
        error(
            option,
            format!("`{text}` is no time; write 500us, 5ms, 30s or 2min"),
        )
    })
}

fn error(option: &str, problem: String) -> ConfigError {
    ConfigError {
        option: option.to_owned(),
        problem,
    }
}

#[cfg(test)]
mod tests;
