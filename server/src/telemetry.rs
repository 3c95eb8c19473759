//! Log lines: text for a person at a terminal, an object a line for everything else.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{ConfigError, LogFormat};

/// Sends log lines to standard error from now on.
///
/// # Errors
/// When the filter cannot be read.
pub fn init(filter: &str, format: LogFormat) -> Result<(), ConfigError> {
    let filter = EnvFilter::try_new(filter).map_err(|error| ConfigError {
        option: "log".to_owned(),
        problem: format!("`{filter}`: {error}; write info, debug or quintet_server=debug"),
    })?;
    let terminal = std::io::stderr().is_terminal();
    let text = format == LogFormat::Text || (format == LogFormat::Auto && terminal);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(terminal);
    // A subscriber that is there already was set by an embedding program, which wins.
    let _ = if text {
        subscriber.try_init()
    } else {
        subscriber.json().flatten_event(true).try_init()
    };
    Ok(())
}
