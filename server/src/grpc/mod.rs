//! The table of calls and how each call is carried. No other module names tonic or prost.

mod endless;
mod fields;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod health;
mod layout;
mod list_models;
mod messages;
mod record;
mod refusal;
mod router;
mod rpc;
mod status;
mod stream;
mod stream_body;
mod unknown;

pub use prost::Message;
pub use rpc::{Items, Rpc};

pub(crate) use health::Health;
pub(crate) use router::Router;
pub(crate) use status::code_number;

use std::sync::Arc;

use tonic::service::Routes;

use crate::call::Context;
use crate::config::Reflection;
use crate::task::{Task, Tasks, tensors};

/// The calls that need models: those of the tasks, ListModels and the Open Inference Protocol.
pub(crate) fn calls(tasks: &Tasks) -> Vec<Rpc> {
    let mut calls: Vec<Rpc> = tasks.iter().flat_map(Task::calls).collect();
    calls.push(list_models::rpc());
    calls.extend(tensors::calls());
    calls
}

/// Answers these calls, health checks, and reflection in both versions that clients use.
pub(crate) fn router(
    context: Context,
    calls: Vec<Rpc>,
    health: &Health,
    access: Reflection,
) -> Router {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(quintet_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // So that a client like grpcurl can show the details of an error.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let complete = "the descriptor sets are generated and complete";
    let mut routes = Routes::new(health.server());
    if access != Reflection::Off {
        routes = routes
            .add_service(reflection().build_v1().expect(complete))
            .add_service(reflection().build_v1alpha().expect(complete));
    }
    Router::new(Arc::new(context), calls, &routes.prepare(), access)
}
