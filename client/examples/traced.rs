//! Classifies a picture in traces of the caller's own, eight at a time, and sends the callers'
//! spans to a collector: `cargo run -p quintet-client --features opentelemetry --example traced --
//! seven.png http://127.0.0.1:50051 http://127.0.0.1:4317`. It prints the traces' ids.

use std::{error::Error, io::Write as _};

use opentelemetry::{
    Context,
    trace::{FutureExt as _, SpanKind, TraceContextExt as _, Tracer, TracerProvider as _},
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use quintet_client::{ClassifyRequest, Client, Image};

const CALLS: usize = 8;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [picture, server, collector] = &arguments[..] else {
        return Err("traced PICTURE SERVER COLLECTOR".into());
    };
    let picture = std::fs::read(picture)?;

    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(collector)
        .build()?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name("caller").build())
        .build();
    let tracer = provider.tracer("traced");

    let client = Client::builder(server).connect().await?;
    let calls = (0..CALLS).map(|_| classify(&tracer, &client, picture.clone()));
    let traces = futures_util::future::try_join_all(calls).await?;
    // Sends what is left.
    provider.shutdown()?;

    let mut out = std::io::stdout().lock();
    traces
        .iter()
        .try_for_each(|trace| writeln!(out, "{trace}"))?;
    Ok(())
}

/// One call, in a trace of its own, whose id it gives.
async fn classify(
    tracer: &impl Tracer<Span: Send + Sync + 'static>,
    client: &Client,
    picture: Vec<u8>,
) -> Result<String, Box<dyn Error>> {
    let span = tracer.span_builder("classify a picture");
    let span = span.with_kind(SpanKind::Client).start(tracer);
    let context = Context::current_with_span(span);
    let request = ClassifyRequest::new([Image::encoded(picture)]);
    // The SDK continues the trace of the context that is current when it makes the call.
    client
        .classify(request)
        .with_context(context.clone())
        .await?;
    context.span().end();
    Ok(context.span().span_context().trace_id().to_string())
}
