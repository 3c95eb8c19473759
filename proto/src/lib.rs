//! Quintet's wire types: what prost and tonic make of `proto/`, checked in, so that no build needs `protoc`.
//!
//! No logic lives here. `tests/bootstrap.rs` makes the code again and fails on a difference.

/// `quintet.v1`: the domain API ([source](../proto/quintet/v1/serving.proto)).
pub mod v1 {
    #![expect(
        missing_docs,
        clippy::pedantic,
        clippy::clone_on_ref_ptr,
        reason = "generated code; the .proto file documents each message"
    )]
    include!("gen/quintet.v1.rs");
}

/// `inference`: the Open Inference Protocol ([source](../proto/inference/open_inference_grpc.proto)).
pub mod inference {
    #![expect(
        missing_docs,
        clippy::pedantic,
        clippy::clone_on_ref_ptr,
        reason = "generated code; the .proto file documents each message"
    )]
    include!("gen/inference.rs");
}

/// Every `.proto` file served, encoded as a `google.protobuf.FileDescriptorSet`, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("gen/descriptor.bin");

/// The name of a code as gRPC writes it, for metrics and logs.
pub fn code_name(code: tonic::Code) -> &'static str {
    use tonic::Code;
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
