//! Requests of every call to a whole server with tiny models: no answer may be a fault of the
//! server.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use quintet_e2e::{Server, Wire, grpc_message, server, tiny, tiny_generator, tiny_text};
use tokio::runtime::Runtime;

const PATHS: [&str; 12] = [
    "/quintet.v1.InferenceService/Classify",
    "/quintet.v1.InferenceService/ClassifyStream",
    "/quintet.v1.InferenceService/SentimentScore",
    "/quintet.v1.InferenceService/GenerateDigits",
    "/quintet.v1.InferenceService/GenerateDigitsStream",
    "/quintet.v1.InferenceService/ListModels",
    "/inference.GRPCInferenceService/ModelInfer",
    "/inference.GRPCInferenceService/ModelStreamInfer",
    "/inference.GRPCInferenceService/ModelMetadata",
    "/inference.GRPCInferenceService/ModelReady",
    "/grpc.health.v1.Health/Check",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
];
/// INTERNAL and UNKNOWN, the answers that blame the server.
const FAULTS: [i32; 2] = [13, 2];

static SERVER: LazyLock<(Runtime, Server, Wire)> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("a runtime");
    let (server, wire) = runtime.block_on(async {
        let server = server()
            .model(tiny("digits"))
            .model(tiny("judge").digits())
            .text(tiny_text("reviews"))
            .generator(tiny_generator("gan"))
            .max_images_per_generation(64)
            .max_images_per_generation_stream(64)
            .max_candidates_per_image(4)
            .start()
            .await;
        let wire = server.wire().await;
        (server, wire)
    });
    (runtime, server, wire)
});

fuzz_target!(|input: &[u8]| {
    let Some((&call, message)) = input.split_first() else {
        return;
    };
    let path = PATHS[usize::from(call) % PATHS.len()];
    let (runtime, _, wire) = &*SERVER;
    let reply = runtime.block_on(wire.call(path, &[], grpc_message(message)));
    let reply = reply.expect("the connection stays");
    assert!(!FAULTS.contains(&(reply.code() as i32)), "{path}: {:?}", reply.status);
});
