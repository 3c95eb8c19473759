//! A scripted server on a free port.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use quintet_client::Client;
use quintet_proto::v1::{
    Classification, ClassifyRequest, ClassifyResponse, Label, ListModelsRequest,
    ListModelsResponse, ModelInfo, ModelState, Task, TensorMetadata, Timing,
    inference_service_server::{InferenceService, InferenceServiceServer},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};
use tonic_health::server::HealthReporter;

/// A server that answers `Classify` as a test says, and has one model. It ends with the value.
pub(crate) struct FakeServer {
    address: SocketAddr,
    calls: Calls,
    /// Sets what health checks answer; everything is serving at first.
    pub(crate) health: HealthReporter,
    task: JoinHandle<()>,
}

/// One `Classify` call as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) message: ClassifyRequest,
    pub(crate) grpc_timeout: String,
}

type Calls = Arc<Mutex<Vec<Received>>>;

/// Answers the n-th call, from 0; `None` never answers.
type Script =
    Box<dyn Fn(usize, &ClassifyRequest) -> Option<Result<ClassifyResponse, Status>> + Send + Sync>;

struct Service {
    calls: Calls,
    script: Script,
}

// === impl FakeServer ===

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
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let address = listener.local_addr().expect("the listener is bound");
        let calls = Calls::default();
        let service = Service {
            calls: Arc::clone(&calls),
            script: Box::new(script),
        };
        let (health, health_service) = tonic_health::server::health_reporter();
        let server = Server::builder()
            .add_service(InferenceServiceServer::new(service))
            .add_service(health_service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        let task = tokio::spawn(async move { server.await.expect("the server runs") });
        Self {
            address,
            calls,
            health,
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

// === impl Service ===

#[tonic::async_trait]
impl InferenceService for Service {
    async fn classify(
        &self,
        request: Request<ClassifyRequest>,
    ) -> Result<Response<ClassifyResponse>, Status> {
        let timeout = request
            .metadata()
            .get("grpc-timeout")
            .and_then(|it| it.to_str().ok());
        let grpc_timeout = timeout.unwrap_or_default().to_owned();
        let message = request.into_inner();
        let number = {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            calls.push(Received {
                message: message.clone(),
                grpc_timeout,
            });
            calls.len() - 1
        };
        match (self.script)(number, &message) {
            Some(answer) => answer.map(Response::new),
            None => std::future::pending().await,
        }
    }

    async fn list_models(
        &self,
        _: Request<ListModelsRequest>,
    ) -> Result<Response<ListModelsResponse>, Status> {
        let tensor = |name: &str, datatype: &str, shape: &[i64]| TensorMetadata {
            name: name.into(),
            datatype: datatype.into(),
            shape: shape.into(),
        };
        let ready = ModelInfo {
            name: "mlp".into(),
            version: "2".into(),
            task: Task::ImageClassification.into(),
            state: ModelState::Ready.into(),
            is_default: true,
            architecture: "mlp".into(),
            labels: (0..10).map(|it| it.to_string()).collect(),
            inputs: vec![tensor("pixels", "UINT8", &[-1, 28, 28])],
            outputs: vec![tensor("probabilities", "FP32", &[-1, 10])],
            device: "cpu".into(),
            instances: 2,
            max_batch_size: 64,
            parameters: 109_386,
            metrics: [("test_accuracy".to_owned(), 0.9712)].into(),
            ..ModelInfo::default()
        };
        let broken = ModelInfo {
            name: "cnn".into(),
            version: "1".into(),
            // A task of a later API.
            task: 99,
            state: ModelState::Unavailable.into(),
            reason: "golden samples differ by 0.3".into(),
            ..ModelInfo::default()
        };
        Ok(Response::new(ListModelsResponse {
            models: vec![broken, ready],
        }))
    }
}
