//! How the server ends.

use std::time::Duration;

use crate::value_parser::time;

/// The times of a shutdown.
#[derive(Debug, Clone, clap::Args)]
pub struct ShutdownOptions {
    /// How long to go on serving, no longer ready, before a shutdown begins, so that load
    /// balancers notice.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = time)]
    pub shutdown_delay: Duration,
    /// How long a shutdown may take to finish what was accepted.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub shutdown_timeout: Duration,
}
