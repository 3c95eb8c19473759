//! What is counted during the run, and the report of it.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use bytes::Bytes;
use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::Instant;
use tonic::Code;

use super::{
    connection::CallError,
    load::Outcome,
    payload::{Mix, Payload},
};
use crate::output;

/// One of this many responses is decoded, to read its batch size.
const SAMPLING: u64 = 16;
/// Above this share of a core the generator may be what is measured.
const BUSY: f64 = 0.9;

/// The measurement's span of time.
pub(super) type Window = Range<Instant>;

/// Counts calls. Throughput counts those that end in the window; latencies and errors, those that
/// were due in it.
#[derive(Debug)]
pub(super) struct Recorder {
    window: Window,
    /// Calls that ended in the window, with any result; those among them that were answered.
    ended: u64,
    answered: u64,
    /// Nanoseconds from the intended start.
    latency: Histogram<u32>,
    refused_latency: Histogram<u32>,
    lateness: Histogram<u32>,
    errors: BTreeMap<&'static str, Errors>,
    /// Sampled answers, and the sum of their shares of a batch.
    sampled: u64,
    batches: f64,
}

/// Calls that failed alike.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Errors {
    pub(super) count: u64,
    /// What the first of them said.
    pub(super) message: String,
}

/// What the run was, as the user asked for it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Setting {
    pub(super) server: String,
    pub(super) model: String,
    pub(super) version: String,
    /// "quintet" or "oip".
    pub(super) protocol: &'static str,
    /// Whether requests shared a stream.
    pub(super) stream: bool,
    /// How messages were compressed.
    pub(super) compression: Option<&'static str>,
    /// Which texts were sent; `None` without texts.
    pub(super) texts: Option<Mix>,
    /// For a closed loop.
    pub(super) concurrency: Option<usize>,
    /// For an open loop, in requests per second.
    pub(super) rate: Option<f64>,
    pub(super) connections: usize,
    pub(super) rows_per_request: usize,
}

/// What `--json` prints.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    #[serde(flatten)]
    setting: Setting,
    seconds: f64,
    /// Answered requests.
    pub(super) requests: u64,
    requests_per_second: f64,
    rows_per_second: f64,
    /// `None` where no request of the measurement was answered.
    latency_us: Option<Latency>,
    /// Of requests refused with RESOURCE_EXHAUSTED.
    refused_latency_us: Option<Latency>,
    /// Of an open loop: how long after their intended time requests went.
    lateness_us: Option<Latency>,
    errors: BTreeMap<&'static str, Errors>,
    /// `None` where answers do not say.
    mean_batch_size: Option<f64>,
    generator_cpu_us_per_request: f64,
    /// 1 is one core, all the time.
    generator_cpu: f64,
}

/// Microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
struct Latency {
    p50: f64,
    p90: f64,
    p99: f64,
    p99_9: f64,
    max: f64,
}

/// Three significant digits of nanoseconds, up to minutes; what is longer counts as that.
fn histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(1, 600_000_000_000, 3).expect("the bounds are sound")
}

fn nanoseconds(time: Duration) -> u64 {
    time.as_nanos().try_into().unwrap_or(u64::MAX)
}

impl Recorder {
    pub(super) fn new(window: Window) -> Self {
        Self {
            window,
            ended: 0,
            answered: 0,
            latency: histogram(),
            refused_latency: histogram(),
            lateness: histogram(),
            errors: BTreeMap::new(),
            sampled: 0,
            batches: 0.0,
        }
    }

    /// A request that was due at `intended` goes `now`.
    pub(super) fn sent(&mut self, intended: Instant, now: Instant) {
        if self.window.contains(&intended) {
            let late = nanoseconds(now.saturating_duration_since(intended));
            self.lateness.saturating_record(late);
        }
    }

    /// Counts a call. The error says why there is no connection any more.
    pub(super) fn record(
        &mut self,
        intended: Instant,
        now: Instant,
        result: Result<Bytes, CallError>,
        payload: &Payload,
    ) -> Result<(), String> {
        let counts = self.window.contains(&intended);
        let ends = self.window.contains(&now);
        self.ended += u64::from(ends);
        let latency = nanoseconds(now.saturating_duration_since(intended));
        let failure = match result {
            Ok(message) => {
                if self.sample(message, payload) {
                    self.answered += u64::from(ends);
                    if counts {
                        self.latency.saturating_record(latency);
                    }
                    return Ok(());
                }
                CallError::Malformed("a message that is no answer to the request")
            }
            Err(CallError::Unreachable(reason)) => return Err(reason),
            Err(failure) => failure,
        };
        if !counts {
            return Ok(());
        }
        if matches!(&failure, CallError::Refused(refusal) if refusal.code == Code::ResourceExhausted)
        {
            self.refused_latency.saturating_record(latency);
        }
        self.fail(failure.kind(), 1, || failure.message());
        Ok(())
    }

    /// Counts failures, of which the first is to tell what they said.
    fn fail(&mut self, kind: &'static str, count: u64, message: impl FnOnce() -> String) {
        let errors = self.errors.entry(kind).or_insert_with(|| Errors {
            count: 0,
            message: message(),
        });
        errors.count += count;
    }

    /// Reads the answer if it is its turn. False for one that cannot be read.
    fn sample(&mut self, message: Bytes, payload: &Payload) -> bool {
        if !self.ended.is_multiple_of(SAMPLING) {
            return true;
        }
        let Some(answer) = payload.read(message) else {
            return false;
        };
        if let Some(batch_size) = answer.batch_size {
            self.sampled += 1;
            self.batches += 1.0 / f64::from(batch_size.max(1));
        }
        true
    }
}

impl Report {
    pub(super) fn new(setting: Setting, outcome: Outcome) -> Self {
        let mut recorder = outcome.recorder;
        for (kind, message, count) in [
            ("UNSENT", "too many requests were under way", outcome.unsent),
            ("UNANSWERED", "no reply came in time", outcome.unanswered),
        ] {
            if count > 0 {
                recorder.fail(kind, count, || message.to_owned());
            }
        }
        let (seconds, cpu) = (outcome.measured.as_secs_f64(), outcome.cpu.as_secs_f64());
        let ratio = |of: f64, by: f64| if by > 0.0 { of / by } else { 0.0 };
        let requests_per_second = ratio(recorder.answered as f64, seconds);
        Self {
            seconds,
            requests: recorder.answered,
            requests_per_second,
            rows_per_second: requests_per_second * setting.rows_per_request as f64,
            latency_us: Latency::of(&recorder.latency),
            refused_latency_us: Latency::of(&recorder.refused_latency),
            lateness_us: Latency::of(&recorder.lateness),
            errors: recorder.errors,
            mean_batch_size: (recorder.sampled > 0)
                .then(|| ratio(recorder.sampled as f64, recorder.batches)),
            generator_cpu_us_per_request: ratio(cpu * 1e6, recorder.ended as f64),
            generator_cpu: ratio(cpu, seconds),
            setting,
        }
    }

    pub(super) fn render(&self) -> String {
        let setting = &self.setting;
        let by = match (setting.protocol, setting.stream) {
            ("quintet", false) => "",
            ("quintet", true) => ", on streams",
            _ => ", by the Open Inference Protocol",
        };
        let compression = setting.compression.map(|it| format!(", by {it}"));
        let compression = compression.unwrap_or_default();
        let (model, version) = (&setting.model, &setting.version);
        let model = format!("{model} version {version}{by}{compression}");
        let pace = match setting.rate {
            Some(rate) => format!("{rate} requests/s meant to go"),
            None => format!("{} under way", setting.concurrency.unwrap_or_default()),
        };
        let load = format!(
            "{pace}, connections: {}, rows a request: {}, {:.1} s",
            setting.connections, setting.rows_per_request, self.seconds
        );
        let throughput = format!(
            "{:.0} requests/s, {:.0} rows/s",
            self.requests_per_second, self.rows_per_second
        );
        let mut fields = vec![("model", model), ("load", load), ("throughput", throughput)];
        for (name, latency) in [
            ("latency", &self.latency_us),
            ("refused in", &self.refused_latency_us),
            ("sent late by", &self.lateness_us),
        ] {
            fields.extend(latency.as_ref().map(|it| (name, it.render())));
        }
        let mean = self.mean_batch_size.map(|it| format!("{it:.1}"));
        fields.extend(mean.map(|it| ("mean batch size", it)));
        for (kind, Errors { count, message }) in &self.errors {
            fields.push(("errors", format!("{count} {kind} ({message})")));
        }
        if self.errors.is_empty() {
            fields.push(("errors", "none".to_owned()));
        }
        let is_busy = self.generator_cpu > BUSY;
        let generator = format!(
            "{:.1} us of CPU a request, {:.0} % of a core{}",
            self.generator_cpu_us_per_request,
            self.generator_cpu * 100.0,
            if is_busy {
                "; it may be what limits this"
            } else {
                ""
            },
        );
        fields.push(("generator", generator));
        output::fields(fields)
    }
}

impl Latency {
    /// `None` for an empty histogram.
    fn of(histogram: &Histogram<u32>) -> Option<Self> {
        let microseconds = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        (!histogram.is_empty()).then(|| Self {
            p50: microseconds(0.5),
            p90: microseconds(0.9),
            p99: microseconds(0.99),
            p99_9: microseconds(0.999),
            max: histogram.max() as f64 / 1000.0,
        })
    }

    fn render(&self) -> String {
        format!(
            "p50 {:.0} us, p90 {:.0}, p99 {:.0}, p99.9 {:.0}, max {:.0}",
            self.p50, self.p90, self.p99, self.p99_9, self.max
        )
    }
}

#[cfg(test)]
mod tests;
