//! What a health check gives (`grpc.health.v1`).

use tonic_health::pb::health_check_response::ServingStatus as Wire;

/// Whether the server, or one of its services, takes calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServingStatus {
    /// It does.
    Serving,
    /// It does not: it is loading its models, draining, or a model failed.
    NotServing,
    /// It cannot tell.
    Unknown,
}

impl From<Wire> for ServingStatus {
    fn from(status: Wire) -> Self {
        match status {
            Wire::Serving => Self::Serving,
            Wire::NotServing => Self::NotServing,
            Wire::Unknown | Wire::ServiceUnknown => Self::Unknown,
        }
    }
}
