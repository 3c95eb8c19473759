//! `grpc.health.v1`: the server as a whole (the empty name), the services that need models, and
//! each model by its name.

use std::collections::BTreeSet;

use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthService, HealthServer};
use tonic_health::server::{HealthReporter, HealthService as Reported};

use super::Rpc;
use crate::repository::Repository;

/// What health checks get to know.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    reporter: HealthReporter,
    /// The services that need models, and the empty name: the whole server.
    services: BTreeSet<&'static str>,
}

impl Health {
    /// No model is ready yet for the services of these calls.
    pub(crate) async fn starting(repository: &Repository, calls: &[Rpc]) -> Self {
        let services = calls.iter().map(Rpc::service).chain([""]);
        let health = Self {
            reporter: HealthReporter::new(),
            services: services.collect(),
        };
        // A new reporter says that the server serves.
        health.set(repository, |_| false, false).await;
        health
    }

    /// Reports the models' state now.
    pub(crate) async fn update(&self, repository: &Repository) {
        self.set(
            repository,
            |name| repository.is_model_ready(name),
            repository.is_ready(),
        )
        .await;
    }

    /// Reports that the server shuts down: nothing is served any more.
    pub(crate) async fn leaving(&self, repository: &Repository) {
        self.set(repository, |_| false, false).await;
    }

    /// The service to route to.
    pub(super) fn server(&self) -> HealthServer<impl HealthService> {
        HealthServer::new(Reported::from_health_reporter(self.reporter.clone()))
    }

    async fn set(&self, repository: &Repository, model: impl Fn(&str) -> bool, overall: bool) {
        let status = |ready| {
            if ready {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            }
        };
        for name in repository.names() {
            self.reporter
                .set_service_status(name, status(model(name)))
                .await;
        }
        for name in &self.services {
            self.reporter
                .set_service_status(name, status(overall))
                .await;
        }
    }
}
