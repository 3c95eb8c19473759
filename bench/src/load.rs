//! The load generator: `quintet bench` as a child process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::Result;
use crate::process::on_cores;

/// How to run it.
#[derive(Debug)]
pub(crate) struct Generator {
    pub(crate) program: PathBuf,
    /// Its cores, see [`on_cores`].
    pub(crate) cores: Option<String>,
    pub(crate) duration: Duration,
    pub(crate) warmup: Duration,
}

/// What it measured.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Measured {
    /// Answered ones.
    pub(crate) requests: u64,
    pub(crate) requests_per_second: f64,
    pub(crate) latency_us: Latency,
    /// Of RESOURCE_EXHAUSTED.
    pub(crate) refused_latency_us: Option<Latency>,
    /// How long after their intended time requests went, in an open loop; answers are timed from
    /// that time.
    pub(crate) lateness_us: Option<Latency>,
    pub(crate) errors: BTreeMap<String, Failed>,
    /// Where answers tell it.
    pub(crate) mean_batch_size: Option<f64>,
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

impl Generator {
    /// A closed loop over one connection, with these further options. A single failed request makes
    /// the figures worthless, so it is an error.
    pub(crate) fn run(
        &self,
        address: &str,
        model: &str,
        concurrency: usize,
        options: &[&str],
    ) -> Result<Measured> {
        let concurrency = concurrency.to_string();
        let options = [&["--concurrency", &concurrency], options].concat();
        let measured = self.bench(address, model, &options)?;
        match measured.errors.iter().next() {
            None => Ok(measured),
            Some((kind, Failed { count, message })) => {
                Err(format!("{model}: {count} requests failed with {kind}: {message}").into())
            }
        }
    }

    /// An open loop of `rate` requests a second, each with `timeout` to be answered in; refusals
    /// are part of it.
    pub(crate) fn flood(
        &self,
        address: &str,
        model: &str,
        rate: f64,
        timeout: Duration,
    ) -> Result<Measured> {
        let (rate, timeout) = (format!("{rate:.0}"), milliseconds(timeout));
        self.bench(address, model, &["--rate", &rate, "--timeout", &timeout])
    }

    fn bench(&self, address: &str, model: &str, how: &[&str]) -> Result<Measured> {
        let mut command = on_cores(self.cores.as_deref(), &self.program);
        let output = command
            .args(["bench", "--json", "--server", address, "--model", model])
            .args(how)
            .args(["--duration", &milliseconds(self.duration)])
            .args(["--warmup", &milliseconds(self.warmup)])
            .output()
            .map_err(|error| {
                let program = Path::new(command.get_program()).display();
                format!("cannot run {program}: {error}")
            })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("the load generator failed: {}", said.trim()).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}
