//! The load generator: `quintet bench` as a child process.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

/// How to run it.
#[derive(Debug)]
pub(crate) struct Generator {
    pub(crate) program: PathBuf,
    pub(crate) duration: Duration,
    pub(crate) warmup: Duration,
}

/// What it measured.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Measured {
    pub(crate) requests_per_second: f64,
    pub(crate) latency_us: Latency,
    pub(crate) errors: BTreeMap<String, Failed>,
    pub(crate) mean_batch_size: f64,
    pub(crate) generator_cpu_us_per_request: f64,
}

/// Microseconds.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Requests that failed alike.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Failed {
    pub(crate) count: u64,
    pub(crate) message: String,
}

// === impl Generator ===

impl Generator {
    /// A closed loop over one connection. A single failed request makes the figures worthless, so it is an error.
    pub(crate) fn run(
        &self,
        address: &str,
        model: &str,
        concurrency: usize,
    ) -> Result<Measured, Box<dyn Error>> {
        let milliseconds = |time: Duration| format!("{}ms", time.as_millis());
        let output = Command::new(&self.program)
            .args(["bench", "--json", "--server", address, "--model", model])
            .args(["--concurrency", &concurrency.to_string()])
            .args(["--duration", &milliseconds(self.duration)])
            .args(["--warmup", &milliseconds(self.warmup)])
            .output()
            .map_err(|error| format!("cannot run {}: {error}", crate::shown(&self.program)))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("the load generator failed: {}", said.trim()).into());
        }
        let measured: Measured = serde_json::from_slice(&output.stdout)?;
        match measured.errors.iter().next() {
            None => Ok(measured),
            Some((kind, Failed { count, message })) => {
                Err(format!("{model}: {count} requests failed with {kind}: {message}").into())
            }
        }
    }
}
