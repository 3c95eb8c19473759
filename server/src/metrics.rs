//! Every metric's name, unit and buckets, and the handles that record them. No other file names a
//! metric.
//!
//! Each server has a recorder of its own, so that two in one process do not add up.

mod security;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Unit, with_local_recorder};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use quintet_bundle::Manifest;
use quintet_bundle::task::IMAGE_GENERATION;

use crate::batching::{BatchReport, DropReason, Observer};
use crate::log;
use crate::statistics::Statistics;

/// Declares each metric once: its name, its unit and what Prometheus is told of it.
macro_rules! declare {
    ($($describe:ident($($unit:ident)?) $constant:ident = $name:literal: $help:literal;)*) => {
        $(const $constant: &str = $name;)*

        fn describe() {
            $(metrics::$describe!($constant, $(Unit::$unit,)? $help);)*
        }
    };
}

declare! {
    describe_counter() REQUESTS = "quintet_requests_total":
        "Requests that ended, by call, model and gRPC code; refused and cancelled ones too";
    describe_histogram(Seconds) REQUEST_DURATION = "quintet_request_duration_seconds":
        "From a request's headers to its answer's";
    describe_gauge() REQUESTS_IN_FLIGHT = "quintet_requests_in_flight":
        "Requests being answered";
    describe_histogram(Seconds) PREPROCESS_DURATION = "quintet_preprocess_duration_seconds":
        "Decoding and pre-processing, per request";
    describe_histogram(Seconds) QUEUE_DURATION = "quintet_queue_duration_seconds":
        "Waiting for an instance, per request and batch";
    describe_histogram(Seconds) COMPUTE_DURATION = "quintet_compute_duration_seconds":
        "Running a batch";
    describe_histogram(Seconds) POSTPROCESS_DURATION = "quintet_postprocess_duration_seconds":
        "Making answers of outputs, and encoding pictures, per request and step";
    describe_histogram() BATCH_SIZE = "quintet_batch_size_rows":
        "Rows per batch";
    describe_counter() BATCH_ELEMENTS = "quintet_batch_elements_total":
        "Tokens that ran, by kind: real, or padding up to the longest row of the batch; an image counts as one";
    describe_gauge() QUEUE_DEPTH = "quintet_queue_depth_rows":
        "Rows waiting";
    describe_gauge() QUEUE_LIMIT = "quintet_queue_limit_rows":
        "Rows that may wait; more are refused";
    describe_counter() ROWS = "quintet_rows_total":
        "Rows answered";
    describe_counter() CANDIDATES = "quintet_candidates_total":
        "Generated images, by outcome: kept, or filtered as another digit than asked for or not surely it";
    describe_counter() ROWS_DROPPED = "quintet_rows_dropped_total":
        "Rows that got no answer, by reason";
    describe_counter() BATCHES_FAILED = "quintet_batches_failed_total":
        "Batches that failed";
    describe_counter() INSTANCES_REPLACED = "quintet_instances_replaced_total":
        "Instances that panicked and were replaced";
    describe_gauge() MODEL_INFO = "quintet_model_info":
        "What each model version is; always 1";
    describe_gauge() MODEL_READY = "quintet_model_ready":
        "Whether each model version can be called: 1 or 0";
    describe_gauge() SERVER_READY = "quintet_server_ready":
        "Whether this server is ready, as /readyz says: 1 or 0";
    describe_gauge(Seconds) CERTIFICATE_EXPIRY = "quintet_tls_certificate_expiry_timestamp_seconds":
        "When the first certificate of a port's chain or its clients' authorities expires, in seconds since 1970";
    describe_counter() HANDSHAKES_FAILED = "quintet_tls_handshakes_failed_total":
        "Connections that did not become secure, by port and reason";
    describe_counter() RELOAD_FAILURES = "quintet_reload_failures_total":
        "Certificates or tokens that have changed and were refused; the old ones stay in use";
    describe_gauge() RELOAD_SUCCESSFUL = "quintet_last_reload_successful":
        "Whether certificates or tokens are as in their files: 1, or 0 after a refused change";
    describe_counter() CALLER_REQUESTS = "quintet_caller_requests_total":
        "Requests that ended, by caller and gRPC code; only with tokens";
    describe_counter() CALLER_ROWS = "quintet_caller_rows_total":
        "Rows that were admitted, by caller; only with tokens";
    describe_gauge(Bytes) BYTES_IN_FLIGHT = "quintet_bytes_in_flight":
        "Bytes of requests from their arrival to their answers, see --max-bytes-in-flight";
    describe_gauge() CONNECTIONS = "quintet_connections":
        "Open gRPC connections";
    describe_counter() TURNED_AWAY = "quintet_connections_turned_away_total":
        "gRPC connections beyond --max-connections, by kind: new ones refused, or idle ones closed for them";
    describe_counter() LOG_LINES_LOST = "quintet_log_lines_lost_total":
        "Log lines that were not written, by reason: unwritable, or limited as a library wrote too many";
    describe_gauge() BUILD_INFO = "quintet_build_info":
        "What this server is; always 1";
}

const PROCESS_PREFIX: &str = "quintet_";

/// Upper bounds in seconds, from a fast batch of one to a deadline.
const DURATION_BUCKETS: [f64; 18] = [
    0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
const ROWS_BUCKETS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// The server's metrics. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    process: metrics_process::Collector,
    in_flight: Gauge,
    connections: Gauge,
    /// New ones, then idle ones.
    turned_away: [Counter; 2],
    ready: Gauge,
    requests: RwLock<HashMap<RequestKey, (Counter, Histogram)>>,
}

/// The labels of a request: the call, the model that it reached (empty: none) and the gRPC code's
/// name.
type RequestKey = (&'static str, Arc<str>, &'static str);

/// What one model version records.
#[derive(Debug)]
pub struct ModelMetrics {
    /// Sums that can be read back.
    pub statistics: Statistics,
    /// Decoding and pre-processing of a request.
    pub preprocess: Histogram,
    queue: Histogram,
    compute: Histogram,
    /// Making answers of outputs, or encoding their pictures.
    pub postprocess: Histogram,
    batch_size: Histogram,
    elements_real: Counter,
    elements_padding: Counter,
    depth: Gauge,
    limit: Gauge,
    rows: Counter,
    /// By [`DropReason`].
    dropped: [Counter; 4],
    batches_failed: Counter,
    instances_replaced: Counter,
    ready: Gauge,
    candidates_kept: Counter,
    candidates_filtered: Counter,
}

impl Metrics {
    /// A recorder with everything described and nothing recorded.
    pub fn new(onnxruntime: &str) -> Self {
        let durations = Matcher::Suffix("_duration_seconds".into());
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(durations, &DURATION_BUCKETS)
            .and_then(|it| {
                it.set_buckets_for_metric(Matcher::Full(BATCH_SIZE.into()), &ROWS_BUCKETS)
            })
            .expect("the bucket lists are not empty")
            .build_recorder();
        let handle = recorder.handle();
        let process = metrics_process::Collector::new(PROCESS_PREFIX);
        let (in_flight, ready, connections, turned_away) = with_local_recorder(&recorder, || {
            describe();
            process.describe();
            let labels = [
                ("version", env!("CARGO_PKG_VERSION").to_owned()),
                ("onnxruntime", onnxruntime.to_owned()),
            ];
            metrics::gauge!(BUILD_INFO, &labels).set(1);
            (
                metrics::gauge!(REQUESTS_IN_FLIGHT),
                metrics::gauge!(SERVER_READY),
                metrics::gauge!(CONNECTIONS),
                ["new", "idle"].map(|kind| metrics::counter!(TURNED_AWAY, "kind" => kind)),
            )
        });
        Self(Arc::new(Inner {
            recorder,
            handle,
            process,
            in_flight,
            connections,
            turned_away,
            ready,
            requests: RwLock::default(),
        }))
    }

    /// The exposition text that Prometheus scrapes.
    pub fn render(&self) -> String {
        with_local_recorder(&self.0.recorder, || {
            self.0.process.collect();
            let lost = log::lost();
            for (reason, lines) in [("unwritable", lost.unwritable), ("limited", lost.limited)] {
                metrics::counter!(LOG_LINES_LOST, "reason" => reason).absolute(lines);
            }
        });
        self.0.handle.render()
    }

    /// Folds recorded samples into their histograms; without it, or a scrape, they pile up in
    /// memory.
    pub fn upkeep(&self) {
        self.0.handle.run_upkeep();
    }

    /// Requests hold so many bytes.
    pub fn bytes_in_flight(&self, bytes: usize) {
        let gauge = || metrics::gauge!(BYTES_IN_FLIGHT);
        with_local_recorder(&self.0.recorder, gauge).set(bytes as f64);
    }

    /// So many connections are open.
    pub fn connections(&self, open: usize) {
        self.0.connections.set(open as f64);
    }

    /// A new connection was refused, or an `idle` one was closed.
    pub fn turned_away(&self, idle: bool) {
        self.0.turned_away[usize::from(idle)].increment(1);
    }

    /// A request has come in.
    pub fn request_started(&self) {
        self.0.in_flight.increment(1);
    }

    /// A request has ended.
    pub fn request_ended(
        &self,
        rpc: &'static str,
        model: &Arc<str>,
        code: &'static str,
        took: Duration,
    ) {
        self.0.in_flight.decrement(1);
        let key = (rpc, Arc::clone(model), code);
        let requests = self.0.requests.read();
        let requests = requests.unwrap_or_else(PoisonError::into_inner);
        let known = requests.get(&key).cloned();
        drop(requests);
        let (count, duration) = known.unwrap_or_else(|| self.add_request_labels(key));
        count.increment(1);
        duration.record(took);
    }

    /// Whether the server as a whole is ready, as `/readyz` says.
    pub fn set_ready(&self, ready: bool) {
        self.0.ready.set(f64::from(u8::from(ready)));
    }

    /// A model version lies in the repository and is not ready yet: one that never will be is seen
    /// too.
    pub fn model_found(&self, name: &str, version: u32) {
        let gauge = || metrics::gauge!(MODEL_READY, &labels(name, version));
        with_local_recorder(&self.0.recorder, gauge).set(0);
    }

    /// The handles of one model version, whose runs take up to `max_batch_size` rows, and its info
    /// series.
    pub fn model(&self, manifest: &Manifest, device: &str, max_batch_size: usize) -> ModelMetrics {
        let labels = labels(&manifest.name, manifest.version);
        let and = |key: &'static str, value: &str| {
            let [name, version] = labels.clone();
            [name, version, (key, value.to_owned())]
        };
        with_local_recorder(&self.0.recorder, || {
            let mut info = labels.to_vec();
            info.push(("architecture", manifest.architecture.clone()));
            info.push(("task", manifest.task.clone()));
            info.push(("device", device.to_owned()));
            metrics::gauge!(MODEL_INFO, &info).set(1);
            let dropped = |reason| metrics::counter!(ROWS_DROPPED, &and("reason", reason));
            let elements = |kind| metrics::counter!(BATCH_ELEMENTS, &and("kind", kind));
            let candidates = |outcome| match &*manifest.task {
                IMAGE_GENERATION => metrics::counter!(CANDIDATES, &and("outcome", outcome)),
                _ => Counter::noop(),
            };
            ModelMetrics {
                statistics: Statistics::new(max_batch_size),
                preprocess: metrics::histogram!(PREPROCESS_DURATION, &labels),
                queue: metrics::histogram!(QUEUE_DURATION, &labels),
                compute: metrics::histogram!(COMPUTE_DURATION, &labels),
                postprocess: metrics::histogram!(POSTPROCESS_DURATION, &labels),
                batch_size: metrics::histogram!(BATCH_SIZE, &labels),
                elements_real: elements("real"),
                elements_padding: elements("padding"),
                depth: metrics::gauge!(QUEUE_DEPTH, &labels),
                limit: metrics::gauge!(QUEUE_LIMIT, &labels),
                rows: metrics::counter!(ROWS, &labels),
                dropped: ["deadline", "cancelled", "stopped", "queue_full"].map(dropped),
                batches_failed: metrics::counter!(BATCHES_FAILED, &labels),
                instances_replaced: metrics::counter!(INSTANCES_REPLACED, &labels),
                ready: metrics::gauge!(MODEL_READY, &labels),
                candidates_kept: candidates("kept"),
                candidates_filtered: candidates("filtered"),
            }
        })
    }

    fn add_request_labels(&self, key: RequestKey) -> (Counter, Histogram) {
        let labels = [("rpc", key.0.to_owned()), ("model", key.1.to_string())];
        let handles = with_local_recorder(&self.0.recorder, || {
            let [rpc, model] = labels.clone();
            let count = metrics::counter!(REQUESTS, &[rpc, model, ("code", key.2.to_owned())]);
            (count, metrics::histogram!(REQUEST_DURATION, &labels))
        });
        let requests = self.0.requests.write();
        let mut requests = requests.unwrap_or_else(PoisonError::into_inner);
        requests.entry(key).or_insert(handles).clone()
    }
}

impl ModelMetrics {
    /// Counts a generator's images that were kept, and those that were filtered out.
    pub fn judged(&self, kept: u64, filtered: u64) {
        self.candidates_kept.increment(kept);
        self.candidates_filtered.increment(filtered);
    }

    /// The model can be called; at most `queue_limit` rows may wait for it.
    pub fn set_ready(&self, queue_limit: usize) {
        self.limit.set(queue_limit as f64);
        self.ready.set(1);
    }
}

impl Observer for ModelMetrics {
    fn queue_depth(&self, rows: usize) {
        self.depth.set(rows as f64);
    }

    fn batch(&self, report: &BatchReport) {
        self.statistics.ran(report);
        self.batch_size.record(report.rows as f64);
        self.compute.record(report.compute);
        let padded = report.rows * report.width;
        self.elements_real.increment(report.elements as u64);
        self.elements_padding
            .increment((padded - report.elements) as u64);
        for waited in &report.waits {
            self.queue.record(*waited);
        }
        if report.succeeded {
            self.rows.increment(report.rows as u64);
        } else {
            self.batches_failed.increment(1);
        }
    }

    fn dropped(&self, reason: DropReason, rows: usize) {
        self.dropped[reason as usize].increment(rows as u64);
    }

    fn instance_replaced(&self) {
        self.instances_replaced.increment(1);
    }
}

fn labels(model: &str, version: u32) -> [(&'static str, String); 2] {
    [
        ("model", model.to_owned()),
        ("version", version.to_string()),
    ]
}
