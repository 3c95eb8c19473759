//! `quintet bench`: load for a server, and what it makes of it.
//!
//! A load generator that works hard measures itself, since it shares the machine with the server. So this one goes past
//! the SDK: bare HTTP/2, requests encoded beforehand, one thread.

mod connection;
mod load;
mod pace;
mod payload;
mod report;

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::Args;
use quintet_client::Client;
use tokio::runtime::{Builder, LocalOptions};

use self::{
    connection::{CallError, Connection, Target},
    load::{Pace, Plan},
    payload::{Answer, Payload},
    report::{Report, Setting},
};
use crate::{args::time, failure::Failure, output};

/// Requests under way in a closed loop that is not told how many.
const CONCURRENCY: usize = 64;
/// And at most in an open loop.
const OPEN_LIMIT: usize = 4096;
/// How long after the calls' own time their replies are waited for.
const GRACE: Duration = Duration::from_secs(1);

pub(crate) const BENCH_JSON: &str = "\
With --json, one object:
  server, model, version, concurrency (closed loop, else null), rate (open loop, else null),
  connections, rows_per_request, seconds, requests (answered), requests_per_second,
  rows_per_second, mean_batch_size,
  latency_us, refused_latency_us (of RESOURCE_EXHAUSTED, or null) and lateness_us (open loop,
  or null) with p50, p90, p99, p99_9 and max in microseconds,
  errors with count and message by gRPC code, or MALFORMED, RESET, UNSENT, UNANSWERED,
  generator_cpu_us_per_request, generator_cpu (1 is one core all the time)";

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// The model's name [default: the server's default classifier].
    #[arg(long)]
    model: Option<String>,
    /// How many requests are under way at once [default: 64]; with --rate, the most [default: 4096].
    #[arg(long, value_name = "N")]
    concurrency: Option<NonZeroUsize>,
    /// Send so many requests a second, whether or not answers come, and measure latencies from when each was meant to
    /// go. Without it, an answer makes room for the next request.
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// How many connections the requests are spread over.
    #[arg(long, value_name = "N", default_value = "1")]
    connections: NonZeroUsize,
    /// How long to measure.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    duration: Duration,
    /// How long to send before that; may be 0s.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = warmup)]
    warmup: Duration,
    /// How many images a request holds.
    #[arg(long, value_name = "N", default_value = "1")]
    rows_per_request: NonZeroUsize,
    /// Send MNIST's test set, which lies in DIR/mnist/ or DIR itself [default: noise].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The load runs on a thread of its own, with its own runtime.
pub(crate) async fn run(
    client: &Client,
    timeout: Duration,
    args: BenchArgs,
) -> Result<(), Failure> {
    let address = client.address().to_owned();
    let json = args.json;
    let (report, lost) = tokio::task::spawn_blocking(move || {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
            .map_err(|error| Failure::new(format!("cannot start: {error}")))?;
        runtime.block_on(bench(&address, timeout, &args))
    })
    .await
    .map_err(|error| Failure::new(format!("the load generator failed: {error}")))??;
    if json {
        output::print_json(&report)?;
    } else {
        output::print(&report.render())?;
    }
    match lost {
        Some(reason) => Err(Failure::new(format!("a connection was lost: {reason}"))),
        None if report.nothing_answered() => Err(Failure::new("no request was answered")),
        None => Ok(()),
    }
}

/// The report, and why the run ended early if it did.
async fn bench(
    address: &str,
    timeout: Duration,
    args: &BenchArgs,
) -> Result<(Report, Option<String>), Failure> {
    let rows = args.rows_per_request.get();
    let model = args.model.as_deref().unwrap_or_default();
    let payload = match &args.data_dir {
        Some(data_dir) => Payload::mnist(model, rows, data_dir)?,
        None => Payload::random(model, rows),
    };
    let target = Target {
        authority: address.trim_start_matches("http://"),
        path: Payload::PATH,
        timeout,
    };
    let mut connections = Vec::new();
    for _ in 0..args.connections.get() {
        let connection = tokio::time::timeout(timeout, Connection::open(target)).await;
        let connection = connection
            .map_err(std::io::Error::from)
            .and_then(|it| it)
            .map_err(|error| {
                Failure::new(format!("cannot reach the server at {address}: {error}"))
                    .hint("start one with quintet-server, or name another with --server or QUINTET_SERVER")
            })?;
        connections.push(connection);
    }
    let first = first_answer(&mut connections[0], &payload).await?;

    let pace = match (args.rate, args.concurrency.map(NonZeroUsize::get)) {
        (None, concurrency) => Pace::Closed {
            concurrency: concurrency.unwrap_or(CONCURRENCY),
        },
        (Some(rate), limit) => Pace::Open {
            rate,
            limit: limit.unwrap_or(OPEN_LIMIT),
        },
    };
    let plan = Plan {
        pace,
        warmup: args.warmup,
        duration: args.duration,
        grace: timeout + GRACE,
    };
    let mut outcome = load::run(plan, &connections, payload)
        .await
        .map_err(|error| Failure::new(format!("cannot keep the time: {error}")))?;
    let lost = outcome.lost.take();
    let setting = Setting {
        server: address.to_owned(),
        model: first.model,
        version: first.version,
        concurrency: match pace {
            Pace::Closed { concurrency } => Some(concurrency),
            Pace::Open { .. } => None,
        },
        rate: args.rate,
        connections: connections.len(),
        rows_per_request: rows,
    };
    Ok((Report::new(setting, outcome), lost))
}

/// One request before the load: a model that is not there shows at once, and the server says which it took.
async fn first_answer(connection: &mut Connection, payload: &Payload) -> Result<Answer, Failure> {
    let refused = |why: String| Failure::new(format!("the first request failed: {why}"));
    let message = connection
        .call(payload.next())
        .await
        .map_err(|error| match error {
            CallError::Status(status) => refused(report::describe(&status))
                .hint("quintet models lists what the server has, and what is ready"),
            CallError::Reset(reason) => refused(format!("the server ended it: {reason}")),
            CallError::Malformed(what) => {
                refused(what.to_owned()).hint("is it a Quintet server that listens there?")
            }
            CallError::Lost(reason) => refused(reason),
        })?;
    payload.read(message).ok_or_else(|| {
        refused("the answer is not one to it".to_owned())
            .hint("is it a Quintet server that listens there?")
    })
}

/// Requests per second.
fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && f64::is_finite(rate) => Ok(rate),
        _ => Err("write a number of requests per second above 0".into()),
    }
}

/// A time that may be none at all.
fn warmup(text: &str) -> Result<Duration, String> {
    match text {
        "0" | "0s" | "0ms" => Ok(Duration::ZERO),
        text => time(text),
    }
}
