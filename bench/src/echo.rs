//! The cost of gRPC alone: the same messages through tonic, without inference.

use quintet_proto::v1::inference_service_server::{InferenceService, InferenceServiceServer};
use quintet_proto::v1::{
    Classification, ClassifyRequest, ClassifyResponse, Label, ListModelsRequest,
    ListModelsResponse, Sentiment, SentimentScoreRequest, SentimentScoreResponse, Timing,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::Result;

/// The windows of Quintet's own listener.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
const MAX_CONCURRENT_STREAMS: u32 = 1024;

const TIMING: Timing = Timing {
    preprocess_us: 1,
    queue_us: 250,
    compute_us: 150,
    batch_size: 32,
};

/// Says "7" to every image, as surely as a model.
#[derive(Debug)]
struct Echo;

/// Listens on a free port, says which, and serves until the process ends. One thread: tonic's
/// fastest on few cores.
pub(crate) fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        crate::say(&format!(
            r#"{{"message":"listening","grpc":"{}"}}"#,
            listener.local_addr()?
        ));
        crate::say(r#"{"message":"ready"}"#);
        let server = tonic::transport::Server::builder()
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
            .tcp_nodelay(true)
            .add_service(InferenceServiceServer::new(Echo));
        server
            .serve_with_incoming(TcpListenerStream::new(listener))
            .await?;
        Ok(())
    })
}

#[tonic::async_trait]
impl InferenceService for Echo {
    async fn classify(
        &self,
        request: Request<ClassifyRequest>,
    ) -> Result<Response<ClassifyResponse>, Status> {
        let request = request.into_inner();
        let classification = || Classification {
            labels: vec![Label {
                name: "7".to_owned(),
                index: 7,
                probability: 0.998,
            }],
            readable: Some(true),
            ..Classification::default()
        };
        Ok(Response::new(ClassifyResponse {
            classifications: request.images.iter().map(|_| classification()).collect(),
            model: request.model,
            version: "1".to_owned(),
            timing: Some(TIMING),
        }))
    }

    async fn sentiment_score(
        &self,
        request: Request<SentimentScoreRequest>,
    ) -> Result<Response<SentimentScoreResponse>, Status> {
        let request = request.into_inner();
        let sentiment = || Sentiment {
            score: 0.87,
            label: "POSITIVE".to_owned(),
            tokens: 120,
            truncated: false,
            known_tokens: 118,
            language_supported: true,
        };
        Ok(Response::new(SentimentScoreResponse {
            sentiments: request.texts.iter().map(|_| sentiment()).collect(),
            model: request.model,
            version: "1".to_owned(),
            timing: Some(TIMING),
        }))
    }

    async fn list_models(
        &self,
        _: Request<ListModelsRequest>,
    ) -> Result<Response<ListModelsResponse>, Status> {
        Ok(Response::new(ListModelsResponse::default()))
    }
}
