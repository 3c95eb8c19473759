//! Traces: the spans that a collector gets, over OTLP and gRPC.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use quintet_e2e::{Server, frame, server, tiny};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::support::request;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// A collector that keeps what it is sent.
#[derive(Debug, Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans.into_iter();
        let spans = resources
            .flat_map(|it| it.scope_spans)
            .flat_map(|it| it.spans);
        self.0.lock().expect("nobody panics").extend(spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let service = TraceServiceServer::new(self.clone());
        let serving = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(serving.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }

    async fn server(&self, ratio: &str) -> Server {
        let endpoint = format!("http://{}", self.start().await);
        let server = server().model(tiny("digits"));
        let server = server.option("--otlp-endpoint", endpoint);
        server.option("--trace-ratio", ratio).start().await
    }

    /// The spans by name, once the server has ended and so has sent them all.
    async fn spans(&self, server: Server) -> Vec<Span> {
        stop(server).await;
        let mut spans = std::mem::take(&mut *self.0.lock().expect("nobody panics"));
        spans.sort_by_key(|span| span.start_time_unix_nano);
        spans
    }
}

fn attributes(span: &Span) -> BTreeMap<&str, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let pairs = span.attributes.iter().filter_map(|it| {
        let value = it.value.as_ref()?.value.as_ref()?;
        Some((it.key.as_str(), text(value)))
    });
    pairs.collect()
}

#[tokio::test]
async fn a_traced_call_has_a_span_for_each_stage() {
    let collector = Collector::default();
    let server = collector.server("0").await;
    let wire = server.wire().await;
    let message = request(&[frame(1), frame(2)]);
    let reply = wire.classify(&[("traceparent", PARENT)], &message).await;
    assert_eq!(reply.unwrap().code(), tonic::Code::Ok);
    drop(wire);

    let spans = collector.spans(server).await;
    let call = spans.iter().find(|span| span.name.contains('/')).unwrap();
    assert_eq!(call.name, "quintet.v1.InferenceService/Classify");
    assert_eq!(hex(&call.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(hex(&call.parent_span_id), "f067aa0ba902b7");
    let of_call = attributes(call);
    for (key, value) in [
        ("rpc.system", "grpc"),
        ("rpc.service", "quintet.v1.InferenceService"),
        ("rpc.method", "Classify"),
        ("rpc.grpc.status_code", "0"),
        ("quintet.model.name", "digits"),
    ] {
        assert_eq!(of_call[key], value, "{key}");
    }
    let mut at = call.start_time_unix_nano;
    for name in ["preprocess", "queue", "compute", "postprocess"] {
        let stage = spans.iter().find(|span| span.name == name).expect(name);
        assert_eq!(stage.parent_span_id, call.span_id, "{name}");
        assert_eq!(attributes(stage)["quintet.model.version"], "1", "{name}");
        assert!(
            stage.start_time_unix_nano >= at,
            "{name} begins after the one before"
        );
        at = stage.end_time_unix_nano;
        if name == "compute" {
            assert_eq!(attributes(stage)["quintet.batch_size"], "2");
        }
    }
    assert!(at <= call.end_time_unix_nano);
    assert_eq!(spans.len(), 5);
}

#[tokio::test]
async fn the_callers_choice_wins_over_the_share() {
    for (ratio, parent, expected) in [
        ("1", Some(UNSAMPLED), 0),
        ("0", Some(PARENT), 1),
        ("0", None, 0),
        ("1", None, 1),
        // An invalid one counts as none.
        ("0", Some("00-x"), 0),
    ] {
        let collector = Collector::default();
        let server = collector.server(ratio).await;
        let wire = server.wire().await;
        let headers: Vec<_> = parent.map(|it| ("traceparent", it)).into_iter().collect();
        let refused = wire.classify(&headers, &request(&[])).await.unwrap();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument);
        drop(wire);
        let spans = collector.spans(server).await;
        assert_eq!(spans.len(), expected, "{ratio}, {parent:?}");
        for span in &spans {
            assert_eq!(attributes(span)["rpc.grpc.status_code"], "3");
            // A caller's mistake is no fault of the server.
            let status = span.status.clone().unwrap_or_default();
            assert_eq!(status.code, i32::from(StatusCode::Unset));
        }
    }
}

#[tokio::test]
async fn a_collector_that_is_gone_does_no_harm() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let server = server().model(tiny("digits"));
    let server = server.option("--otlp-endpoint", endpoint);
    let server = server.option("--trace-ratio", "1").start().await;
    let reply = server
        .wire()
        .await
        .classify(&[], &request(&[frame(1)]))
        .await;
    assert_eq!(reply.unwrap().code(), tonic::Code::Ok);
    assert_eq!(stop(server).await, 0);
}

/// Ends the server; returns how many requests it gave up.
async fn stop(server: Server) -> usize {
    server.shutdown();
    server.stopped().await
}

/// An id as `traceparent` writes it.
fn hex(id: &[u8]) -> String {
    let id = id
        .iter()
        .fold(0_u128, |id, byte| id << 8 | u128::from(*byte));
    format!("{id:x}")
}
