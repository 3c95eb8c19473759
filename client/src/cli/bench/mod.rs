//! `quintet bench`: load for a server, and the throughput and latency that it reaches.
//!
//! A costly load generator measures itself, since it shares the machine with the server. So this
//! one bypasses the SDK: bare HTTP/2, requests encoded beforehand, one thread.

mod args;
mod caller;
mod connection;
mod framing;
mod load;
mod metadata;
mod pace;
mod payload;
mod report;
mod servers;
mod stream;
mod subject;

use std::{fmt::Display, num::NonZeroUsize, rc::Rc, time::Duration};

use quintet_client::{Client, ErrorKind};
use tokio::runtime::{Builder, LocalOptions};

pub(crate) use self::args::{BENCH_JSON, BenchArgs};
use self::{
    caller::Caller,
    connection::{CallError, Target},
    load::Plan,
    payload::{Answer, Payload, Rpc},
    report::{Report, Setting},
    servers::Servers,
};
use crate::{
    connection::{ConnectionArgs, Kind},
    failure::Failure,
    output,
};

/// The default concurrency of a closed loop.
const CONCURRENCY: usize = 64;
/// The default limit of an open loop.
const OPEN_LIMIT: usize = 4096;
/// How long replies are awaited after the calls' deadline.
const GRACE: Duration = Duration::from_secs(1);

/// The load runs on a thread of its own, with its own runtime.
pub(crate) async fn run(
    client: &Client,
    connection: ConnectionArgs,
    args: BenchArgs,
) -> Result<(), Failure> {
    let client = client.clone();
    let json = args.json;
    let (report, lost) = tokio::task::spawn_blocking(move || {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
            .map_err(|error| Failure::new(format!("cannot start: {error}")))?;
        runtime.block_on(async {
            let servers = Rc::new(Servers::new(&client, &connection)?);
            let timeout = connection.timeout;
            let mut payload = subject::payload(&client, &servers, timeout, &args).await?;
            if servers.compression.is_some() {
                payload.compress();
            }
            bench(&client, servers, timeout, &args, payload).await
        })
    })
    .await
    .map_err(|error| Failure::new(format!("the load generator failed: {error}")))??;
    output::print_report(json, &report, Report::render)?;
    match lost {
        Some(reason) => Err(Failure::new(format!("a connection was lost: {reason}"))),
        None if report.requests == 0 => Err(Failure::new("no request was answered")),
        None => Ok(()),
    }
}

/// The report, and why the run ended early if it did.
async fn bench(
    client: &Client,
    servers: Rc<Servers>,
    timeout: Duration,
    args: &BenchArgs,
    payload: Payload,
) -> Result<(Report, Option<String>), Failure> {
    let rpc = payload.rpc();
    let grace = timeout + GRACE;
    let compression = servers.compression.map(|Kind::Gzip| "gzip");
    let target = Target {
        servers,
        path: rpc.path(),
        timeout: match rpc {
            // The deadline is the whole stream's: the first request's, the load's and what is
            // waited for after it.
            Rpc::ClassifyStream => timeout + args.warmup + args.duration + grace,
            _ => timeout,
        },
    };
    let mut callers = Vec::new();
    for _ in 0..args.connections.get() {
        let caller = Caller::open(target.clone(), rpc, timeout).await;
        match caller {
            Ok(caller) => callers.push(caller),
            Err(error) => return Err(unreachable(client, &error).await),
        }
    }
    let first = first_answer(client, &mut callers[0], &payload).await?;

    let most = match args.rate {
        None => CONCURRENCY,
        Some(_) => OPEN_LIMIT,
    };
    let limit = args.concurrency.map_or(most, NonZeroUsize::get);
    let plan = Plan {
        rate: args.rate,
        limit,
        warmup: args.warmup,
        duration: args.duration,
        grace,
    };
    let mut outcome = load::run(plan, &callers, payload)
        .await
        .map_err(|error| Failure::new(format!("cannot keep the time: {error}")))?;
    let lost = outcome.lost.take();
    let setting = Setting {
        server: client.address().to_owned(),
        model: first.model,
        version: first.version,
        protocol: match rpc {
            Rpc::ModelInfer => "oip",
            _ => "quintet",
        },
        stream: rpc == Rpc::ClassifyStream,
        compression,
        texts: (rpc == Rpc::SentimentScore).then_some(args.mix),
        concurrency: args.rate.is_none().then_some(limit),
        rate: args.rate,
        connections: callers.len(),
        rows_per_request: args.rows_per_request.get(),
    };
    Ok((Report::new(setting, outcome), lost))
}

/// The error of a server that cannot be connected to. The SDK knows the reason.
async fn unreachable(client: &Client, reason: &dyn Display) -> Failure {
    match client.health(None).await {
        Err(error) if *error.kind() == ErrorKind::Connect => {
            Failure::of_call(client.address())(error)
        }
        _ => Failure::unreachable(client.address(), reason),
    }
}

/// One request before the load: a model that is not there shows at once, and the server says which
/// it took.
async fn first_answer(
    client: &Client,
    caller: &mut Caller,
    payload: &Payload,
) -> Result<Answer, Failure> {
    let no_quintet = "is it a Quintet server that listens there?";
    let refused = |why: String| Failure::new(format!("the first request failed: {why}"));
    let message = match caller.call(payload.next()).await {
        Ok(message) => message,
        Err(error) => {
            let failure = refused(error.to_string());
            return Err(match error {
                CallError::Refused(_) => {
                    failure.hint("quintet models lists what the server has, and what is ready")
                }
                CallError::Malformed(_) => failure.hint(no_quintet),
                CallError::Reset(_) => failure,
                _ => unreachable(client, &error).await,
            });
        }
    };
    payload
        .read(message)
        .ok_or_else(|| refused("the answer is not one to it".to_owned()).hint(no_quintet))
}
