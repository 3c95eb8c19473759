//! What TLS and tokens record.

use metrics::{Counter, with_local_recorder};

use super::{
    CALLER_REQUESTS, CALLER_ROWS, CERTIFICATE_EXPIRY, HANDSHAKES_FAILED, Metrics, RELOAD_FAILURES,
    RELOAD_SUCCESSFUL,
};

impl Metrics {
    /// A request of a configured caller has ended.
    pub(crate) fn caller_ended(&self, caller: &str, code: &'static str) {
        self.count(CALLER_REQUESTS, [("caller", caller), ("code", code)]);
    }

    /// The counter of a configured caller's rows.
    pub(crate) fn caller_rows(&self, caller: &str) -> Counter {
        let labels = [("caller", caller.to_owned())];
        with_local_recorder(&self.0.recorder, || metrics::counter!(CALLER_ROWS, &labels))
    }

    /// The certificate of a port expires then, in seconds since 1970.
    pub(crate) fn certificate_expires(&self, port: &'static str, expires: i64) {
        let gauge = || metrics::gauge!(CERTIFICATE_EXPIRY, "port" => port);
        with_local_recorder(&self.0.recorder, gauge).set(expires as f64);
    }

    /// A connection did not become secure.
    pub(crate) fn handshake_failed(&self, port: &'static str, reason: &'static str) {
        self.count(HANDSHAKES_FAILED, [("port", port), ("reason", reason)]);
    }

    /// Files were read again, or for the first time.
    pub(crate) fn reload_ended(&self, source: &'static str, succeeded: bool) {
        with_local_recorder(&self.0.recorder, || {
            let failures = u64::from(!succeeded);
            metrics::counter!(RELOAD_FAILURES, "source" => source).increment(failures);
            metrics::gauge!(RELOAD_SUCCESSFUL, "source" => source)
                .set(f64::from(u8::from(succeeded)));
        });
    }

    /// Adds one to a counter that is seldom used, or only with callers.
    fn count(&self, name: &'static str, labels: [(&'static str, &str); 2]) {
        let labels = labels.map(|(key, value)| (key, value.to_owned()));
        let counter = || metrics::counter!(name, &labels);
        with_local_recorder(&self.0.recorder, counter).increment(1);
    }
}
