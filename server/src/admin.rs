//! The HTTP endpoints: `/metrics` for Prometheus, `/healthz` for liveness, `/readyz` for readiness.

mod listener;

use std::sync::Arc;

use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use tokio::net::TcpListener;

use self::listener::{Client, SecureListener};
use crate::error::{PermissionDenied, ServeError};
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::repository::Repository;
use crate::tls::Handshakes;
use crate::tokens::{Access, Scope, Tokens};

/// What the endpoints report.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    pub(crate) metrics: Metrics,
    pub(crate) repository: Arc<Repository>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) guard: Guard,
}

/// Who may read `/metrics`: with neither, anyone; with both, who has either.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    /// Clients with a verified certificate.
    pub(crate) by_certificate: bool,
    /// Callers with the scope `metrics`.
    pub(crate) tokens: Option<Arc<Tokens>>,
}

/// Serves the endpoints, plain text or after `handshakes`, until the port is gone.
pub(crate) async fn serve(listener: TcpListener, handshakes: Option<Handshakes>, admin: Admin) {
    let pages = routes(admin);
    let served = match handshakes {
        Some(handshakes) => {
            let pages = pages.into_make_service_with_connect_info::<Client>();
            axum::serve(SecureListener::new(listener, handshakes), pages).await
        }
        None => axum::serve(listener, pages).await,
    };
    if let Err(error) = served {
        tracing::error!(%error, "the admin port is gone");
    }
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
    client: Option<Extension<ConnectInfo<Client>>>,
    request: Request,
    next: Next,
) -> Response {
    let client = client.as_ref().map(|client| &client.0.0);
    let authorization = request.headers().get(header::AUTHORIZATION);
    match guard.check(client, authorization) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

impl Guard {
    fn check(
        &self,
        client: Option<&Client>,
        authorization: Option<&HeaderValue>,
    ) -> Result<(), impl IntoResponse + use<>> {
        let is_verified = client.is_some_and(|client| client.is_verified);
        if self.by_certificate && is_verified {
            return Ok(());
        }
        let refusal = match &self.tokens {
            Some(tokens) => {
                let identity = client.and_then(|client| client.identity.as_ref());
                let authorization = authorization.map(HeaderValue::as_bytes);
                let caller = tokens.authenticate(authorization, identity);
                let access = Access::Scope(Scope::Metrics);
                caller.and_then(|caller| caller.check_access(access)).err()
            }
            None if self.by_certificate => Some(PermissionDenied::NoCertificate.into()),
            None => None,
        };
        refusal.map_or(Ok(()), |refusal| {
            let (status, challenge) = match refusal {
                ServeError::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "Bearer"),
                _ => (StatusCode::FORBIDDEN, ""),
            };
            Err((
                status,
                [(header::WWW_AUTHENTICATE, challenge)],
                format!("{refusal}\n"),
            ))
        })
    }
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    admin.metrics.set_ready(admin.unready().is_empty());
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
