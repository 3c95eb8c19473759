//! How requests become batches, in Triton's words. These settings are options of the server.

use std::time::Duration;

use super::Cost;
use super::lanes::Extent;
use crate::value_parser::{at_least_one, time};

/// Batching of all models, or of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Settings {
    /// The most rows that one run takes.
    #[arg(long, value_name = "ROWS", default_value = "32", value_parser = at_least_one)]
    pub max_batch_size: usize,
    /// The most tokens that one run takes of a model that reads texts, padding included; a longer
    /// text runs alone [default: as many as are measured to be fastest, at most 16384].
    #[arg(long, value_name = "TOKENS", value_parser = at_least_one)]
    pub max_batch_tokens: Option<usize>,
    /// How long the oldest row may wait for company while an instance is idle.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = time)]
    pub max_queue_delay: Duration,
    // The default is less than the requests that one connection may have open: a caller with a
    // single connection is refused when the server is full, rather than held back on its own side.
    /// The most rows that may wait for one model; more are refused.
    #[arg(long, value_name = "ROWS", default_value = "512", value_parser = at_least_one)]
    pub max_queue_size: usize,
    // As `BatchRow::bytes` counts them. The default holds the largest request of the default
    // limits: 256 images of 224 x 224 x 3 float32 are 147 MiB. Rows as small as MNIST's meet the
    // bound in rows first.
    /// The most bytes that the rows waiting for one model may hold; more are refused, but an empty
    /// queue takes any request.
    #[arg(long, value_name = "BYTES", default_value = "268435456", value_parser = at_least_one)]
    pub max_queue_bytes: usize,
    /// Instances of each model, a thread and a session each [default: one per core on a CPU, one on
    /// a GPU].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub instances: Option<usize>,
    /// A batch that is expected to take no longer runs on the I/O thread that brought it; 0s: none
    /// does.
    #[arg(long, value_name = "TIME", default_value = "250us", value_parser = time)]
    pub max_inline_compute: Duration,
}

/// 32 rows of 512 tokens, the most that the encoders of BERT's family read.
const MAX_BATCH_TOKENS: usize = 16_384;

impl Settings {
    /// The same for a model whose runs cost so much: where it is not stated how many tokens one
    /// takes, it is as many as make it efficient.
    #[must_use]
    pub fn with_cost(mut self, cost: &Cost) -> Self {
        let efficient = || cost.efficient_tokens()?.min(MAX_BATCH_TOKENS).into();
        self.max_batch_tokens = self.max_batch_tokens.or_else(efficient);
        self
    }

    /// Whether one run may take so much. One row always may.
    pub(super) fn admit(&self, run: Extent) -> bool {
        let most = self.max_batch_tokens.unwrap_or(MAX_BATCH_TOKENS);
        let tokens = run.rows.saturating_mul(run.width);
        run.rows <= 1 || (run.rows <= self.max_batch_size && tokens <= most)
    }
}
