//! The HTTP side: `/metrics` for Prometheus, `/healthz` for "alive", `/readyz` for "ready".

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::repository::Repository;

/// What the pages show.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    /// For `/metrics`.
    pub(crate) metrics: Metrics,
    /// For `/readyz`.
    pub(crate) repository: Arc<Repository>,
    /// For `/readyz`.
    pub(crate) lifecycle: Arc<Lifecycle>,
}

/// The pages.
pub(crate) fn routes(admin: Admin) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .with_state(admin)
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        admin.metrics.render(),
    )
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, String) {
    if admin.lifecycle.is_leaving() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "the server is shutting down\n".to_owned(),
        );
    }
    let reasons = admin.repository.unready();
    if reasons.is_empty() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n")
}
