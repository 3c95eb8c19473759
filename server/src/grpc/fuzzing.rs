//! Messages from a fuzzer.

use prost::Message;
use quintet_proto::{inference as oip, v1};

use super::fields;
use super::layout::Layout;

/// A request's path, and how its message is read.
type Call = (&'static str, fn(&[u8]));

const CALLS: [Call; 10] = [
    (
        "/quintet.v1.InferenceService/Classify",
        read::<v1::ClassifyRequest>,
    ),
    (
        "/quintet.v1.InferenceService/ClassifyStream",
        read::<v1::ClassifyStreamRequest>,
    ),
    (
        "/quintet.v1.InferenceService/SentimentScore",
        read::<v1::SentimentScoreRequest>,
    ),
    (
        "/quintet.v1.InferenceService/GenerateDigits",
        read::<v1::GenerateDigitsRequest>,
    ),
    (
        "/quintet.v1.InferenceService/GenerateDigitsStream",
        read::<v1::GenerateDigitsRequest>,
    ),
    (
        "/inference.GRPCInferenceService/ModelInfer",
        read::<oip::ModelInferRequest>,
    ),
    (
        "/inference.GRPCInferenceService/ModelStreamInfer",
        read::<oip::ModelInferRequest>,
    ),
    (
        "/inference.GRPCInferenceService/ModelMetadata",
        read::<oip::ModelMetadataRequest>,
    ),
    (
        "/inference.GRPCInferenceService/ModelReady",
        read::<oip::ModelReadyRequest>,
    ),
    (
        "/grpc.health.v1.Health/Check",
        read::<tonic_health::pb::HealthCheckRequest>,
    ),
];

/// Reads a request of one of our calls as [`super::messages`] does.
pub fn message(call: u8, message: &[u8]) {
    let (path, read) = CALLS[usize::from(call) % CALLS.len()];
    if fields::check(message, Layout::of_request(path)).is_ok() {
        read(message);
    }
}

fn read<M: Message + Default>(message: &[u8]) {
    if let Ok(read) = M::decode(message) {
        read.encode_to_vec();
    }
}
