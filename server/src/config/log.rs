//! Log lines: text for a person at a terminal, an object a line for everything else.

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt, registry};

use super::ConfigError;
use crate::log::{LimitByPlace, Lossy};
use crate::value_parser::Problem;

/// What to log, and how.
#[derive(Debug, Clone, clap::Args)]
pub struct LogOptions {
    /// What to log, in the words of tracing's EnvFilter, such as info or quintet_server=debug.
    #[arg(long, value_name = "FILTER", default_value = "info,h2=error")]
    pub log: String,
    /// How to log: auto (text at a terminal, else JSON), text or json.
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = format)]
    pub log_format: LogFormat,
}

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

impl LogOptions {
    /// Sends log lines to standard error from now on.
    ///
    /// # Errors
    /// When the filter cannot be read.
    pub fn init(&self) -> Result<(), ConfigError> {
        let filter = &self.log;
        let filter = EnvFilter::try_new(filter).map_err(|error| {
            let allowed = "write info, debug or quintet_server=debug";
            ConfigError::new("log", format!("`{filter}`: {error}; {allowed}"))
        })?;
        let terminal = std::io::stderr().is_terminal();
        let lines = fmt::layer()
            .with_writer(|| Lossy(std::io::stderr().lock()))
            .log_internal_errors(false)
            .with_ansi(terminal);
        let limited = registry().with(filter).with(LimitByPlace::default());
        let format = self.log_format;
        let is_text = format == LogFormat::Text || (format == LogFormat::Auto && terminal);
        // A subscriber that is there already was set by an embedding program, which wins.
        let _ = if is_text {
            limited.with(lines).try_init()
        } else {
            let lines = lines.json().flatten_event(true);
            limited.with(lines).try_init()
        };
        Ok(())
    }
}

fn format(text: &str) -> Result<LogFormat, Problem> {
    match text {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(Problem(format!("`{text}` is none of auto, text, json"))),
    }
}
