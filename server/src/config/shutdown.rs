//! How the server ends.

use std::time::Duration;

use super::value::time;

/// The times of a shutdown.
#[derive(Debug, Clone, clap::Args)]
pub struct ShutdownOptions {
    /// How long to go on serving, no longer ready, before a shutdown begins, so that load
    /// balancers notice.
    #[arg(long, env = "QUINTET_SHUTDOWN_DELAY", value_name = "TIME")]
    #[arg(default_value = "0s", value_parser = time)]
    pub shutdown_delay: Duration,

    /// How long a shutdown may take to finish what was accepted.
    #[arg(long, env = "QUINTET_SHUTDOWN_TIMEOUT", value_name = "TIME")]
    #[arg(default_value = "30s", value_parser = time)]
    pub shutdown_timeout: Duration,
}
