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
    /// Of the services of these calls.
    pub(crate) async fn starting(repository: &Repository, calls: &[Rpc]) -> Self {
        let services = calls.iter().map(Rpc::service).chain([""]);
        let health = Self {
            reporter: HealthReporter::new(),
            services: services.collect(),
        };
        // A new reporter says that the server serves.
        health.update(repository, false).await;
        health
    }

    /// Reports the models' state now; nothing is served any more once the server `is_leaving`.
    pub(crate) async fn update(&self, repository: &Repository, is_leaving: bool) {
        let status = |is_ready| {
            if is_ready && !is_leaving {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            }
        };
        let models = repository
            .names()
            .map(|name| (name, repository.is_model_ready(name)));
        let services = self
            .services
            .iter()
            .map(|name| (*name, repository.is_ready()));
        for (name, is_ready) in models.chain(services) {
            let status = status(is_ready);
            self.reporter.set_service_status(name, status).await;
        }
    }

    /// The service to route to.
    pub(super) fn server(&self) -> HealthServer<impl HealthService> {
        HealthServer::new(Reported::from_health_reporter(self.reporter.clone()))
    }
}
