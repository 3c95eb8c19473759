//! The HTTP endpoints: `/metrics` for Prometheus, `/healthz` for liveness, `/readyz` for readiness.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::repository::Repository;

/// What the endpoints report.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    pub(crate) metrics: Metrics,
    pub(crate) repository: Arc<Repository>,
    pub(crate) lifecycle: Arc<Lifecycle>,
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
