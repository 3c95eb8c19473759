//! The wire: the only module that names tonic and prost. Services convert, call [`crate::service`], convert back.

mod call;
mod codec;
mod connection;
mod convert;
mod endless;
mod exchange;
mod fields;
mod generate;
mod health;
mod inference;
mod listener;
mod observe;
mod open_inference;
mod recorded;
mod rpc;
mod status;
mod stream;
mod unary;

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
    let inference = Arc::new(inference::Inference::new(
        service.clone(),
        Arc::clone(&lifecycle),
    ));
    let open_inference = Arc::new(open_inference::OpenInference::new(
        service,
        Arc::clone(&lifecycle),
    ));
    let routes = Routes::new(
        InferenceServiceServer::from_arc(Arc::clone(&inference))
            .max_decoding_message_size(max_message_size),
    )
    .add_service(
        GrpcInferenceServiceServer::from_arc(Arc::clone(&open_inference))
            .max_decoding_message_size(max_message_size),
    )
    .add_service(health.server())
    .add_service(reflection().build_v1().expect(known))
    .add_service(reflection().build_v1alpha().expect(known))
    .prepare();
    Observe::new(observe::Shared {
        inference,
        open_inference,
        routes,
        lifecycle,
        metrics,
        max_message_size,
    })
}
