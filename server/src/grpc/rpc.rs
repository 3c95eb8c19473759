//! The calls by name: what metrics call them, and how each is carried.

/// A call that this server knows.
#[derive(Debug)]
pub(super) struct Rpc {
    /// `/package.Service/Method`; any other path is "unknown", so that callers cannot add series to the metrics.
    pub(super) path: &'static str,
    pub(super) kind: Kind,
}

/// How a call is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Inference, one message in, one out: straight from HTTP/2, see [`super::unary`].
    Classify,
    /// The same for texts.
    SentimentScore,
    /// The same for images from noise.
    GenerateDigits,
    /// The same, by the Open Inference Protocol.
    ModelInfer,
    /// By tonic: one answer.
    Plain,
    /// Requests and answers as they come, each message measured before it is decoded, see [`super::codec`].
    ClassifyStream,
    /// The same, by the Open Inference Protocol.
    ModelStreamInfer,
    /// By tonic: many answers in one call.
    Stream,
    /// By tonic: its answers end only when the caller wants it.
    Endless,
}

/// The busiest first.
static RPCS: [Rpc; 21] = {
    use Kind::{
        Classify, ClassifyStream, Endless, GenerateDigits, ModelInfer, ModelStreamInfer, Plain,
        SentimentScore, Stream,
    };
    const fn rpc(kind: Kind, path: &'static str) -> Rpc {
        Rpc { path, kind }
    }
    [
        rpc(Classify, "/quintet.v1.InferenceService/Classify"),
        rpc(
            SentimentScore,
            "/quintet.v1.InferenceService/SentimentScore",
        ),
        rpc(ModelInfer, "/inference.GRPCInferenceService/ModelInfer"),
        rpc(
            ClassifyStream,
            "/quintet.v1.InferenceService/ClassifyStream",
        ),
        rpc(
            GenerateDigits,
            "/quintet.v1.InferenceService/GenerateDigits",
        ),
        rpc(Stream, "/quintet.v1.InferenceService/GenerateDigitsStream"),
        rpc(Plain, "/quintet.v1.InferenceService/ListModels"),
        rpc(
            ModelStreamInfer,
            "/inference.GRPCInferenceService/ModelStreamInfer",
        ),
        rpc(Plain, "/inference.GRPCInferenceService/ServerLive"),
        rpc(Plain, "/inference.GRPCInferenceService/ServerReady"),
        rpc(Plain, "/inference.GRPCInferenceService/ModelReady"),
        rpc(Plain, "/inference.GRPCInferenceService/ServerMetadata"),
        rpc(Plain, "/inference.GRPCInferenceService/ModelMetadata"),
        rpc(Plain, "/inference.GRPCInferenceService/ModelConfig"),
        rpc(Plain, "/inference.GRPCInferenceService/ModelStatistics"),
        rpc(Plain, "/inference.GRPCInferenceService/RepositoryIndex"),
        rpc(Plain, "/grpc.health.v1.Health/Check"),
        rpc(Endless, "/grpc.health.v1.Health/Watch"),
        rpc(Plain, "/grpc.health.v1.Health/List"),
        rpc(
            Endless,
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        ),
        rpc(
            Endless,
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ),
    ]
};

static UNKNOWN: Rpc = Rpc {
    path: "unknown",
    kind: Kind::Plain,
};

// === impl Kind ===

impl Kind {
    /// Whether the call has ended with the last of its answers, not with the first.
    pub(super) fn is_stream(self) -> bool {
        matches!(
            self,
            Self::Stream | Self::ClassifyStream | Self::ModelStreamInfer
        )
    }
}

/// The call of this path.
pub(super) fn find(path: &str) -> &'static Rpc {
    RPCS.iter().find(|rpc| rpc.path == path).unwrap_or(&UNKNOWN)
}
