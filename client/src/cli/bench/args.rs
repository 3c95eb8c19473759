//! The grammar of `quintet bench`.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use super::payload::Mix;
use crate::args::time;

pub(crate) const BENCH_JSON: &str = "\
An image classifier is sent Classify, a text classifier SentimentScore, and a generator
GenerateDigits, or noise with oip; a row is an image, a text or a generated image.
With --json, one object:
  server, model, version, protocol, stream, compression (gzip or null),
  texts (the mix, or null without texts),
  concurrency (closed loop, else null), rate (open loop, else null),
  connections, rows_per_request, seconds, requests (answered), requests_per_second,
  rows_per_second, mean_batch_size (null with oip, whose answers do not say),
  latency_us, refused_latency_us (of RESOURCE_EXHAUSTED, or null) and lateness_us (open loop,
  or null) with p50, p90, p99, p99_9 and max in microseconds,
  errors with count and message by gRPC code, or LOST (with its connection, which
  is opened again), MALFORMED, RESET, UNSENT, UNANSWERED,
  generator_cpu_us_per_request, generator_cpu (1 is one core all the time)";

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// The model's name [default: the server's default classifier].
    #[arg(long)]
    pub(super) model: Option<String>,
    /// How many requests are under way at once [default: 64]; with --rate, the most [default:
    /// 4096].
    #[arg(long, value_name = "N")]
    pub(super) concurrency: Option<NonZeroUsize>,
    /// Send N requests a second, whether or not answers come, and measure each latency from the
    /// time at which the request was due. Without it, an answer makes room for the next request.
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(super) rate: Option<f64>,
    /// How many connections the requests are spread over.
    #[arg(long, value_name = "N", default_value = "1")]
    pub(super) connections: NonZeroUsize,
    /// Send the requests of a connection on one ClassifyStream, of which a server has at most 256
    /// under way, and not as a call each.
    #[arg(long)]
    pub(super) stream: bool,
    /// quintet sends pictures and texts, or asks for digits; oip sends an image model's or a
    /// generator's input as a tensor, by the Open Inference Protocol's ModelInfer, to servers of
    /// other makes too, if --model names a model.
    #[arg(long, value_enum, default_value_t = Protocol::Quintet)]
    pub(super) protocol: Protocol,
    /// How long to measure.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(super) duration: Duration,
    /// How long to send before that; may be 0s.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = warmup)]
    pub(super) warmup: Duration,
    /// How many images or texts a request holds, or digits it asks for.
    #[arg(long, value_name = "N", default_value = "1")]
    pub(super) rows_per_request: NonZeroUsize,
    /// Send MNIST's test set, which lies in DIR/mnist/ or DIR itself, or IMDB's test reviews, in
    /// DIR/imdb/ or DIR [default: noise; for texts, words without sense].
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Send an image classifier the pictures in DIR, as the PNG, JPEG or WebP files that they are.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data_dir", "protocol"])]
    pub(super) images: Option<PathBuf>,
    /// Which texts to send: reviews, sentences (their first ones), both in turn, or a number: as
    /// many words of reviews each.
    #[arg(long, value_name = "MIX", default_value_t = Mix::Both)]
    pub(super) mix: Mix,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

// No doc comments on the variants: clap would print them, and each help in its long form for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Protocol {
    Quintet,
    Oip,
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
