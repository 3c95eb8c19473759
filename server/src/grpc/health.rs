//! `grpc.health.v1`: the server as a whole (the empty name), the services that need models, and each model by its name.

use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthService, HealthServer};
use tonic_health::server::{HealthReporter, HealthService as Reported};

use crate::repository::Repository;

/// The names of the services that need models, as health checks ask for them; the empty one is the whole server.
const SERVICES: [&str; 3] = [
    "quintet.v1.InferenceService",
    "inference.GRPCInferenceService",
    "",
];

/// What health checks are told.
#[derive(Debug, Clone)]
pub(crate) struct Health(HealthReporter);

impl Health {
    /// Nothing is served yet. A new reporter would say otherwise.
    pub(crate) async fn starting(repository: &Repository) -> Self {
        let health = Self(HealthReporter::new());
        health.set(repository, |_| false, false).await;
        health
    }

    /// Tells how the models stand now.
    pub(crate) async fn update(&self, repository: &Repository) {
        self.set(
            repository,
            |name| repository.is_model_ready(name),
            repository.is_ready(),
        )
        .await;
    }

    /// The server goes away: nothing is served any more, whatever the models' state.
    pub(crate) async fn leaving(&self, repository: &Repository) {
        self.set(repository, |_| false, false).await;
    }

    /// The service to route to.
    pub(super) fn server(&self) -> HealthServer<impl HealthService> {
        HealthServer::new(Reported::from_health_reporter(self.0.clone()))
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
            self.0.set_service_status(name, status(model(name))).await;
        }
        for name in SERVICES {
            self.0.set_service_status(name, status(overall)).await;
        }
    }
}
