//! The wire: the only module that names tonic and prost. Services convert, call [`crate::service`], convert back.

mod convert;
mod endless;
mod health;
mod inference;
mod listener;
mod observe;
mod open_inference;
mod recorded;
mod status;
mod stream;

pub(crate) use health::Health;
pub(crate) use listener::serve;
pub(crate) use observe::Observe;

use std::sync::Arc;

use quintet_proto::inference::grpc_inference_service_server::GrpcInferenceServiceServer;
use quintet_proto::v1::inference_service_server::InferenceServiceServer;
use tonic::service::Routes;

use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::service::Service;

/// Everything that answers on the gRPC port: the domain API, the Open Inference Protocol, health, and reflection in both
/// versions that clients ask for.
pub(crate) fn routes(
    service: Service,
    health: &Health,
    lifecycle: Arc<Lifecycle>,
    metrics: Metrics,
    max_message_size: usize,
) -> Observe {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(quintet_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // So that a client like grpcurl can show the details of an error.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let known = "the descriptor sets are generated and complete";
    let open_inference =
        open_inference::OpenInference::new(service.clone(), Arc::clone(&lifecycle));
    let open_inference =
        GrpcInferenceServiceServer::new(open_inference).max_decoding_message_size(max_message_size);
    let inference = inference::Inference::new(service, Arc::clone(&lifecycle));
    let inference =
        InferenceServiceServer::new(inference).max_decoding_message_size(max_message_size);
    let routes = Routes::new(inference)
        .add_service(open_inference)
        .add_service(health.server())
        .add_service(reflection().build_v1().expect(known))
        .add_service(reflection().build_v1alpha().expect(known))
        .prepare();
    Observe::new(routes, lifecycle, metrics, max_message_size)
}
