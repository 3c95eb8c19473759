//! The HTTP endpoints: `/metrics` for Prometheus, `/healthz` for liveness, `/readyz` for readiness.
//!
//! They have descriptors of their own ([`crate::resources`]), and no peer keeps one for long.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use crate::lifecycle::Lifecycle;
use crate::log::Seldom;
use crate::metrics::Metrics;
use crate::repository::Repository;
use crate::transport::Budget;

/// What the endpoints report.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    pub(crate) metrics: Metrics,
    pub(crate) repository: Arc<Repository>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    /// Of the requests at the gRPC port.
    pub(crate) budget: Budget,
}

/// Connections that are open at once. One more ends the oldest.
const MAX_CONNECTIONS: usize = 8;
/// How long a peer may take for the headers of a request, and say nothing between two.
const HEADERS: Duration = Duration::from_secs(30);
/// The pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves the endpoints until the future is dropped.
pub(crate) async fn serve(listener: TcpListener, pages: Router) {
    let mut connections = JoinSet::new();
    let (mut oldest, mut failed) = (VecDeque::new(), Seldom::default());
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                if let Some(times) = failed.times() {
                    tracing::warn!(%error, times, "admin connections could not be accepted");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        oldest.retain(|connection: &AbortHandle| !connection.is_finished());
        if oldest.len() >= MAX_CONNECTIONS
            && let Some(connection) = oldest.pop_front()
        {
            connection.abort();
        }
        oldest.push_back(connections.spawn(connection(stream, pages.clone())));
    }
}

/// Serves HTTP/1.1 on any stream of bytes.
async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, pages: Router) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages));
    if let Err(error) = served.await {
        tracing::debug!(%error, "an admin connection ended");
    }
}

/// The endpoints.
pub(crate) fn routes(admin: Admin) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .with_state(admin)
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    admin.metrics.set_ready(admin.unready().is_empty());
    admin.metrics.bytes_in_flight(admin.budget.used());
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        admin.metrics.render(),
    )
}

impl Admin {
    /// Why the server is not ready; empty if it is.
    fn unready(&self) -> Vec<String> {
        if self.lifecycle.is_leaving() {
            return vec!["the server is shutting down".to_owned()];
        }
        self.repository.unready()
    }
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, String) {
    let reasons = admin.unready();
    if reasons.is_empty() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::Instant;

    use super::*;

    /// A caller who has said this and says no more.
    async fn says(words: &[u8]) -> (Vec<u8>, Duration) {
        let (here, mut there) = duplex(1 << 16);
        let pages = Router::new().route("/healthz", get(async || "alive\n"));
        tokio::spawn(connection(here, pages));
        there.write_all(words).await.unwrap();
        let (started, mut answer) = (Instant::now(), Vec::new());
        there.read_to_end(&mut answer).await.unwrap();
        (answer, started.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_without_headers_or_between_requests() {
        for words in ["", "GET /healthz HTTP/1.1\r\nhost:"] {
            let (_, took) = says(words.as_bytes()).await;
            assert_eq!(took.as_secs(), HEADERS.as_secs(), "{words:?}");
        }
        let (answer, took) = says(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"alive\n"));
        assert_eq!(took.as_secs(), HEADERS.as_secs());
    }
}
