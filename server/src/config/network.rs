//! Where and how connections are served.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::runtime::cores;
use crate::batching::Backlog;
use crate::io_threads::IoThreads;
use crate::transport::ResponseCompression;
use crate::value_parser::{Problem, at_least_one, time};

/// Addresses, I/O threads and the size of messages.
#[derive(Debug, Clone, clap::Args)]
pub struct NetworkOptions {
    /// Where gRPC is served.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:50051")]
    pub listen: SocketAddr,
    /// Where /metrics, /healthz and /readyz are served over HTTP.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9464")]
    pub admin_listen: SocketAddr,
    /// Threads that serve gRPC connections, each with a runtime of its own [default: one per core].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub io_threads: Option<usize>,
    // A caller on the same machine, or one or two switches away, sends its next request
    // in this time.
    /// How long an I/O thread that has answered everything looks for the next request before it
    /// sleeps, while requests come that soon as a rule; 0s: not at all.
    #[arg(long, value_name = "TIME", default_value = "200us", value_parser = time)]
    pub busy_poll: Duration,
    /// The largest request in bytes.
    #[arg(long, value_name = "BYTES", default_value = "16777216", value_parser = at_least_one)]
    pub max_message_size: usize,
    /// Whose answers are compressed, by gzip or deflate: requested (callers whose requests are),
    /// accepted (all that accept it) or never.
    #[arg(long, value_name = "WHEN", default_value = "requested", value_parser = compression)]
    pub response_compression: ResponseCompression,
}

impl NetworkOptions {
    /// Starts the I/O threads.
    ///
    /// # Errors
    /// The operating system's, if it gives no thread.
    pub(crate) fn start_threads(&self, backlog: &Arc<Backlog>) -> std::io::Result<IoThreads> {
        let cores = cores();
        let count = self.io_threads.unwrap_or(cores);
        IoThreads::start(count, cores, self.busy_poll, backlog)
    }
}

fn compression(text: &str) -> Result<ResponseCompression, Problem> {
    match text {
        "requested" => Ok(ResponseCompression::Requested),
        "accepted" => Ok(ResponseCompression::Accepted),
        "never" => Ok(ResponseCompression::Never),
        _ => Err(Problem(format!(
            "`{text}` is none of requested, accepted, never"
        ))),
    }
}
