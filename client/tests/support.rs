//! A scripted server on a free port.

pub(crate) mod generator;
mod models;
mod tensors;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use quintet_client::Client;
use quintet_proto::{
    inference::grpc_inference_service_server::GrpcInferenceServiceServer,
    v1::{
        Classification, ClassifyRequest, ClassifyResponse, ClassifyStreamRequest,
        ClassifyStreamResponse, GenerateDigitsRequest, GenerateDigitsResponse, Label,
        ListModelsRequest, ListModelsResponse, Sentiment, SentimentScoreRequest,
        SentimentScoreResponse, StreamError, Timing,
        classify_stream_response::Result as Outcome,
        inference_service_server::{InferenceService, InferenceServiceServer},
    },
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_stream::{StreamExt as _, wrappers::TcpListenerStream};
use tonic::{Code, Request, Response, Status, Streaming, codegen::BoxStream, transport::Server};
use tonic_health::server::HealthReporter;
use tonic_types::{ErrorDetails, StatusExt as _};

use self::tensors::Tensors;

/// A server that answers `Classify`, and the requests of `ClassifyStream`, as a test says, `SentimentScore` by
/// [`feeling`], and `GenerateDigits` by [`generator`]. It ends with the value.
pub(crate) struct FakeServer {
    address: SocketAddr,
    calls: Calls,
    texts: Texts,
    images: Arc<generator::Requests>,
    /// Sets what health checks answer; everything is serving at first.
    pub(crate) health: HealthReporter,
    task: JoinHandle<()>,
}

/// One `Classify` call, or request of a stream, as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) message: ClassifyRequest,
    pub(crate) grpc_timeout: String,
}

type Calls = Arc<Mutex<Vec<Received>>>;
type Texts = Arc<Mutex<Vec<SentimentScoreRequest>>>;

/// Answers the n-th call, from 0; `None` never answers.
type Script =
    Box<dyn Fn(usize, &ClassifyRequest) -> Option<Result<ClassifyResponse, Status>> + Send + Sync>;

struct Service {
    calls: Calls,
    texts: Texts,
    images: Arc<generator::Requests>,
    script: Arc<Script>,
}

async fn bound(address: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(address).await.expect("the port is free");
    let address = listener.local_addr().expect("the listener is bound");
    (listener, address)
}

impl FakeServer {
    pub(crate) async fn start<F>(script: F) -> Self
    where
        F: Fn(usize, &ClassifyRequest) -> Option<Result<ClassifyResponse, Status>>,
        F: Send + Sync + 'static,
    {
        Self::start_at("127.0.0.1:0", script).await
    }

    pub(crate) async fn start_at<F>(address: &str, script: F) -> Self
    where
        F: Fn(usize, &ClassifyRequest) -> Option<Result<ClassifyResponse, Status>>,
        F: Send + Sync + 'static,
    {
        let (listener, address) = bound(address).await;
        let (calls, texts) = (Calls::default(), Texts::default());
        let images = Arc::<generator::Requests>::default();
        let service = Service {
            calls: Arc::clone(&calls),
            texts: Arc::clone(&texts),
            images: Arc::clone(&images),
            script: Arc::new(Box::new(script)),
        };
        let (health, health_service) = tonic_health::server::health_reporter();
        let server = Server::builder()
            .add_service(InferenceServiceServer::new(service))
            .add_service(GrpcInferenceServiceServer::new(Tensors))
            .add_service(health_service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        let task = tokio::spawn(async move { server.await.expect("the server runs") });
        Self {
            address,
            calls,
            texts,
            images,
            health,
            task,
        }
    }

    /// A server of the Open Inference Protocol that has none of Quintet's own calls, as others have not.
    pub(crate) async fn foreign() -> Self {
        let (listener, address) = bound("127.0.0.1:0").await;
        let server = Server::builder()
            .add_service(GrpcInferenceServiceServer::new(Tensors))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let task = tokio::spawn(async move { server.await.expect("the server runs") });
        Self {
            address,
            calls: Calls::default(),
            texts: Texts::default(),
            images: Arc::default(),
            health: tonic_health::server::health_reporter().0,
            task,
        }
    }

    /// A server whose `Classify` says "7" to everything.
    pub(crate) async fn answering() -> Self {
        Self::start(|_, request| Some(Ok(sevens(request)))).await
    }

    /// A server whose `Classify` always fails so.
    pub(crate) async fn refusing(status: Status) -> Self {
        Self::start(move |_, _| Some(Err(status.clone()))).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn client(&self) -> Client {
        Client::builder(self.url())
            .connect_lazy()
            .expect("the address is good")
    }

    /// The `SentimentScore` calls so far.
    pub(crate) fn texts(&self) -> Vec<SentimentScoreRequest> {
        self.texts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The `GenerateDigits` and `GenerateDigitsStream` calls so far, and their `grpc-timeout`.
    pub(crate) fn images(&self) -> Vec<(GenerateDigitsRequest, String)> {
        self.images
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The `Classify` calls so far.
    pub(crate) fn calls(&self) -> Vec<Received> {
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A free address that nobody listens on.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address = listener.local_addr().expect("the listener is bound");
    address.to_string()
}

/// "7" first for every image, then the other digits, as many as were asked for.
pub(crate) fn sevens(request: &ClassifyRequest) -> ClassifyResponse {
    digits(request, |_| 7)
}

/// The digit that `digit` gives for an image's place, and the digits after it.
pub(crate) fn digits(request: &ClassifyRequest, digit: impl Fn(usize) -> u32) -> ClassifyResponse {
    let probabilities = [0.9, 0.07, 0.02, 0.01];
    let labels = |first: u32| {
        let labels = probabilities
            .iter()
            .zip(first..)
            .map(|(&probability, index)| Label {
                name: (index % 10).to_string(),
                index: index % 10,
                probability,
            });
        labels.take(request.top_k.max(1) as usize).collect()
    };
    ClassifyResponse {
        classifications: (0..request.images.len())
            .map(|image| Classification {
                labels: labels(digit(image)),
            })
            .collect(),
        model: "mlp".into(),
        version: "2".into(),
        timing: Some(Timing {
            preprocess_us: 120,
            queue_us: 40,
            compute_us: 1500,
            batch_size: 4,
        }),
    }
}

/// Half of the love that a text speaks of, in three words; one that says "refuse" is refused.
fn feeling(index: usize, text: &str) -> Result<Sentiment, Status> {
    if text.contains("refuse") {
        let details = ErrorDetails::with_bad_request_violation(
            format!("texts[{index}]"),
            "speaks of refusal",
        );
        return Err(Status::with_error_details(
            Code::InvalidArgument,
            "bad text",
            details,
        ));
    }
    let positive = text.contains("love");
    Ok(Sentiment {
        score: if positive { 0.9375 } else { 0.125 },
        label: if positive { "POSITIVE" } else { "NEGATIVE" }.into(),
        tokens: text.split_whitespace().count() as u32 + 1,
        truncated: text.len() > 1000,
        known_tokens: text.split_whitespace().count() as u32,
        language_supported: true,
    })
}

impl Service {
    /// Notes a request, and gives the script's answer to it.
    fn answer(
        calls: &Calls,
        script: &Script,
        received: Received,
    ) -> Option<Result<ClassifyResponse, Status>> {
        let message = received.message.clone();
        let number = {
            let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
            calls.push(received);
            calls.len() - 1
        };
        script(number, &message)
    }
}

fn grpc_timeout<T>(request: &Request<T>) -> String {
    let timeout = request.metadata().get("grpc-timeout");
    let timeout = timeout.and_then(|it| it.to_str().ok());
    timeout.unwrap_or_default().to_owned()
}

#[tonic::async_trait]
impl InferenceService for Service {
    async fn classify_stream(
        &self,
        request: Request<Streaming<ClassifyStreamRequest>>,
    ) -> Result<Response<BoxStream<ClassifyStreamResponse>>, Status> {
        let grpc_timeout = grpc_timeout(&request);
        let (calls, script) = (Arc::clone(&self.calls), Arc::clone(&self.script));
        let answers = request.into_inner().filter_map(move |request| {
            let ClassifyStreamRequest { index, request } = match request {
                Ok(request) => request,
                Err(status) => return Some(Err(status)),
            };
            let received = Received {
                message: request.unwrap_or_default(),
                grpc_timeout: grpc_timeout.clone(),
            };
            let result = match Self::answer(&calls, &script, received)? {
                Ok(response) => Outcome::Response(response),
                Err(status) => Outcome::Error(StreamError {
                    code: status.code().into(),
                    message: status.message().into(),
                    retry_after_ms: 0,
                }),
            };
            let result = Some(result);
            Some(Ok(ClassifyStreamResponse { index, result }))
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn sentiment_score(
        &self,
        request: Request<SentimentScoreRequest>,
    ) -> Result<Response<SentimentScoreResponse>, Status> {
        let request = request.into_inner();
        self.texts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request.clone());
        let texts = request.texts.iter().enumerate();
        let sentiments = texts.map(|(index, text)| feeling(index, text));
        Ok(Response::new(SentimentScoreResponse {
            sentiments: sentiments.collect::<Result<_, _>>()?,
            model: "lstm".into(),
            version: "1".into(),
            timing: Some(Timing {
                preprocess_us: 20,
                queue_us: 10,
                compute_us: 900,
                batch_size: 2,
            }),
        }))
    }

    async fn classify(
        &self,
        request: Request<ClassifyRequest>,
    ) -> Result<Response<ClassifyResponse>, Status> {
        let received = Received {
            grpc_timeout: grpc_timeout(&request),
            message: request.into_inner(),
        };
        match Self::answer(&self.calls, &self.script, received) {
            Some(answer) => answer.map(Response::new),
            None => std::future::pending().await,
        }
    }

    async fn generate_digits(
        &self,
        request: Request<GenerateDigitsRequest>,
    ) -> Result<Response<GenerateDigitsResponse>, Status> {
        let grpc_timeout = grpc_timeout(&request);
        let request = request.into_inner();
        generator::note(&self.images, &request, grpc_timeout);
        generator::whole(&request).map(Response::new)
    }

    async fn generate_digits_stream(
        &self,
        request: Request<GenerateDigitsRequest>,
    ) -> Result<Response<BoxStream<GenerateDigitsResponse>>, Status> {
        let grpc_timeout = grpc_timeout(&request);
        let request = request.into_inner();
        generator::note(&self.images, &request, grpc_timeout);
        let messages = tokio_stream::iter(generator::messages(&request));
        Ok(Response::new(Box::pin(messages)))
    }

    async fn list_models(
        &self,
        _: Request<ListModelsRequest>,
    ) -> Result<Response<ListModelsResponse>, Status> {
        Ok(Response::new(models::list()))
    }
}
