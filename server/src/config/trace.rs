//! Which calls are traced, and where their spans go.

use crate::trace::Traces;
use crate::value_parser::Problem;

/// OpenTelemetry's traces.
#[derive(Debug, Clone, clap::Args)]
pub struct TraceOptions {
    /// Send traces there, by OTLP over gRPC: http://127.0.0.1:4317.
    #[arg(long, value_name = "URL", value_parser = url)]
    pub otlp_endpoint: Option<String>,
    /// Share of the calls that are traced, 0 to 1. A call with a `traceparent` is traced if its
    /// caller's trace is.
    #[arg(long, value_name = "SHARE", default_value = "0.01", value_parser = share)]
    pub trace_ratio: f64,
}

impl TraceOptions {
    /// Begins to send traces. Call it inside the runtime.
    pub(crate) fn start(&self) -> Traces {
        let Some(endpoint) = &self.otlp_endpoint else {
            return Traces::default();
        };
        Traces::export_to(endpoint, self.trace_ratio).unwrap_or_else(|error| {
            tracing::error!(%error, endpoint, "no traces will be sent");
            Traces::default()
        })
    }
}

fn url(text: &str) -> Result<String, Problem> {
    // Neither sent nor a secret: the configuration is printed, and the log names the endpoint.
    if text.contains('@') {
        let problem = "holds user information, which no option may; write http://HOST:PORT";
        return Err(Problem(problem.to_owned()));
    }
    let url = text.parse::<http::Uri>().ok();
    let is_http = |url: &http::Uri| url.scheme_str() == Some("http") && url.authority().is_some();
    let url = url.filter(is_http).map(|_| text.to_owned());
    url.ok_or_else(|| Problem(format!("`{text}` is not http://HOST:PORT")))
}

fn share(text: &str) -> Result<f64, Problem> {
    let share = text
        .parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| Problem(format!("`{text}` is no number from 0 to 1")))
}
