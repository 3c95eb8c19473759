//! The HTTP endpoints: `/metrics` for Prometheus, `/healthz` for liveness, `/readyz` for readiness.
//!
//! They have descriptors of their own ([`crate::resources`]), and no peer keeps one for long.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};

use crate::error::{PermissionDenied, ServeError};
use crate::lifecycle::Lifecycle;
use crate::log::Seldom;
use crate::metrics::Metrics;
use crate::repository::Repository;
use crate::tls::{Handshakes, Identity};
use crate::tokens::{Access, Scope, Tokens};
use crate::transport::{Budget, Endpoint};

/// What the endpoints report.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    pub(crate) metrics: Metrics,
    pub(crate) repository: Arc<Repository>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    /// Of the requests at the gRPC port.
    pub(crate) budget: Budget,
    pub(crate) guard: Guard,
}

/// Connections that are open at once. One more ends the oldest of the address with the most.
const MAX_CONNECTIONS: usize = 8;
/// How long a peer may take for the headers of a request, and say nothing between two.
const HEADERS: Duration = Duration::from_secs(30);
/// The pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A connection that is served.
struct Open {
    peer: IpAddr,
    connection: AbortHandle,
}

/// Serves the endpoints until the future is dropped.
pub(crate) async fn serve(endpoint: Endpoint, admin: Admin) {
    let Endpoint {
        listener,
        handshakes,
    } = endpoint;
    let pages = routes(admin);
    let mut connections = JoinSet::new();
    let (mut open, mut failed) = (Vec::<Open>::new(), Seldom::default());
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok((stream, peer)) => (stream, peer.ip()),
            Err(error) => {
                if let Some(times) = failed.times() {
                    tracing::warn!(%error, times, "admin connections could not be accepted");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        open.retain(|it| !it.connection.is_finished());
        if open.len() >= MAX_CONNECTIONS {
            open.remove(one_too_many(&open)).connection.abort();
        }
        let (pages, handshakes) = (pages.clone(), handshakes.clone());
        let connection = connections.spawn(async move {
            match handshakes {
                Some(handshakes) => secure(stream, &handshakes, pages).await,
                None => connection(stream, pages).await,
            }
        });
        open.push(Open { peer, connection });
    }
}

/// The place of the oldest of the address that has the most; `open` is in order of age and not
/// empty.
fn one_too_many(open: &[Open]) -> usize {
    let of = |peer: IpAddr| open.iter().filter(|it| it.peer == peer).count();
    let most = open.iter().map(|it| of(it.peer)).max();
    let has_most = |it: &Open| Some(of(it.peer)) == most;
    open.iter().position(has_most).unwrap_or_default()
}

async fn secure(stream: TcpStream, handshakes: &Handshakes, pages: Router) {
    let secured = match stream.into_std() {
        Ok(stream) => handshakes.secure(stream).await,
        Err(error) => Err(error.into()),
    };
    match secured {
        Ok(secured) => {
            let client = Client {
                is_verified: secured.is_verified,
                identity: secured.identity,
            };
            connection(secured.stream, pages.layer(Extension(client))).await;
        }
        Err(failure) => tracing::debug!(%failure, "an admin connection did not become secure"),
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

/// Who may read `/metrics`: with neither, anyone; with both, who has either.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    /// Clients with a verified certificate.
    pub(crate) by_certificate: bool,
    /// Callers with the scope `metrics`.
    pub(crate) tokens: Option<Arc<Tokens>>,
}

/// Who is at the other end of a secure connection.
#[derive(Debug, Clone)]
struct Client {
    /// Whether it has shown a certificate, which is verified then.
    is_verified: bool,
    identity: Option<Identity>,
}

/// The endpoints. Health is open to all: a kubelet has nothing to show.
fn routes(admin: Admin) -> Router {
    let guard = from_fn_with_state(admin.guard.clone(), guard);
    Router::new()
        .route("/metrics", get(metrics).route_layer(guard))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .with_state(admin)
}

async fn guard(
    State(guard): State<Guard>,
    client: Option<Extension<Client>>,
    request: Request,
    next: Next,
) -> Response {
    let client = client.as_ref().map(|client| &client.0);
    match guard.check(client, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

impl Guard {
    fn check(
        &self,
        client: Option<&Client>,
        headers: &HeaderMap,
    ) -> Result<(), impl IntoResponse + use<>> {
        let is_verified = client.is_some_and(|client| client.is_verified);
        if self.by_certificate && is_verified {
            return Ok(());
        }
        let refusal = match &self.tokens {
            Some(tokens) => {
                let identity = client.and_then(|client| client.identity.as_ref());
                let caller = tokens.authenticate(headers, identity);
                let access = Access::Scope(Scope::Metrics);
                caller.and_then(|caller| caller.check_access(access)).err()
            }
            None if self.by_certificate => Some(PermissionDenied::NoCertificate.into()),
            None => None,
        };
        refusal.map_or(Ok(()), |refusal| {
            let (status, challenge) = match refusal {
                ServeError::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, Some("Bearer")),
                _ => (StatusCode::FORBIDDEN, None),
            };
            let challenge = challenge.map(|challenge| [(header::WWW_AUTHENTICATE, challenge)]);
            Err((status, challenge, format!("{refusal}\n")))
        })
    }
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
