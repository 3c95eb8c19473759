//! Where spans go, and which calls have some.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};

/// How long the collector may take to answer.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the spans that are left may take at the end of the server.
const LAST_EXPORT: Duration = Duration::from_secs(2);

/// The traces of a server; by default none are made. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traces(Option<Arc<Recorder>>);

/// Makes spans, and sends them.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) tracer: SdkTracer,
    provider: SdkTracerProvider,
    ratio: f64,
}

impl Traces {
    /// Sends spans to `endpoint`, those of a share of `ratio` of the calls that come without a
    /// trace of their own. Call it inside the runtime.
    ///
    /// # Errors
    /// The endpoint is not a URL.
    pub(crate) fn export_to(endpoint: &str, ratio: f64) -> Result<Self, ExporterBuildError> {
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(EXPORT_TIMEOUT)
            .build()?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder_empty()
            .with_service_name("quintet")
            .with_attribute(version)
            // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win.
            .with_detectors(&[
                Box::new(EnvResourceDetector::new()),
                Box::new(TelemetryResourceDetector),
            ])
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            // Which calls have spans was decided before they are made.
            .with_sampler(Sampler::AlwaysOn)
            .with_resource(resource)
            .build();
        Ok(Self(Some(Arc::new(Recorder {
            tracer: provider.tracer("quintet-server"),
            provider,
            ratio,
        }))))
    }

    /// Sends what is left. Blocks.
    pub(crate) fn finish(&self) {
        let Some(recorder) = &self.0 else { return };
        if let Err(error) = recorder.provider.shutdown_with_timeout(LAST_EXPORT) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }

    pub(super) fn recorder(&self) -> Option<&Arc<Recorder>> {
        self.0.as_ref()
    }
}

impl Recorder {
    /// Whether to trace a call whose caller leaves the choice to the server.
    pub(super) fn chooses(&self) -> bool {
        fastrand::f64() < self.ratio
    }
}
