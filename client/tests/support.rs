//! A scripted server on a free port.

pub(crate) mod certificates;
pub(crate) mod generator;
mod models;
mod service;
mod tensors;

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use quintet_client::Client;
use quintet_proto::{
    inference::grpc_inference_service_server::GrpcInferenceServiceServer,
    v1::{
        Classification, ClassifyRequest, ClassifyResponse, Dropped, DroppedKind,
        GenerateDigitsRequest, Image, Label, Polarity, RawImage, SentimentScoreRequest, Timing,
        image::Source, inference_service_server::InferenceServiceServer,
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    task::JoinHandle,
};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::{
    Status,
    metadata::MetadataMap,
    transport::{Server, ServerTlsConfig, server::Connected},
};
use tonic_health::server::HealthReporter;

use self::{service::Service, tensors::Tensors};

/// A server that answers `Classify`, and the requests of `ClassifyStream`, as a test says, `SentimentScore` by
/// the love that a text speaks of, and `GenerateDigits` by [`generator`]. It ends with the value.
pub(crate) struct FakeServer {
    /// Its URL.
    url: String,
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
    pub(crate) metadata: MetadataMap,
}

impl Received {
    /// The value of an ASCII key.
    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key)?.to_str().ok()
    }
}

type Calls = Arc<Mutex<Vec<Received>>>;
type Texts = Arc<Mutex<Vec<SentimentScoreRequest>>>;

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
        let incoming = TcpListenerStream::new(listener);
        Self::serve(
            Server::builder(),
            incoming,
            format!("http://{address}"),
            script,
        )
    }

    /// A server over TLS whose `Classify` says "7" to everything.
    pub(crate) async fn over_tls(tls: ServerTlsConfig) -> Self {
        let (listener, address) = bound("127.0.0.1:0").await;
        let builder = Server::builder().tls_config(tls).expect("good settings");
        let url = format!("https://localhost:{}", address.port());
        let incoming = TcpListenerStream::new(listener);
        Self::serve(builder, incoming, url, |_, request| {
            Some(Ok(sevens(request)))
        })
    }

    /// A server at a Unix socket whose `Classify` says "7" to everything.
    pub(crate) fn at_socket(path: &Path) -> Self {
        let listener = UnixListener::bind(path).expect("the path is free");
        let incoming = UnixListenerStream::new(listener);
        let url = format!("unix://{}", path.display());
        Self::serve(Server::builder(), incoming, url, |_, request| {
            Some(Ok(sevens(request)))
        })
    }

    fn serve<I, IO, F>(mut builder: Server, incoming: I, url: String, script: F) -> Self
    where
        I: tokio_stream::Stream<Item = std::io::Result<IO>> + Send + 'static,
        IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
        F: Fn(usize, &ClassifyRequest) -> Option<Result<ClassifyResponse, Status>>,
        F: Send + Sync + 'static,
    {
        let (calls, texts) = (Calls::default(), Texts::default());
        let images = Arc::<generator::Requests>::default();
        let service = Service {
            calls: Arc::clone(&calls),
            texts: Arc::clone(&texts),
            images: Arc::clone(&images),
            script: Arc::new(Box::new(script)),
        };
        let (health, health_service) = tonic_health::server::health_reporter();
        let server = builder
            .add_service(InferenceServiceServer::new(service))
            .add_service(GrpcInferenceServiceServer::new(Tensors))
            .add_service(health_service)
            .serve_with_incoming(incoming);
        let task = tokio::spawn(async move { server.await.expect("the server runs") });
        Self {
            url,
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
            url: format!("http://{address}"),
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
        self.url.clone()
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

/// "7" for every image but the first, in which there is nothing to read; with an explanation if one
/// is asked for.
pub(crate) fn first_is_blank(request: &ClassifyRequest) -> ClassifyResponse {
    let mut response = sevens(request);
    let first = &mut response.classifications[0];
    first.labels.clear();
    for (index, answer) in response.classifications.iter_mut().enumerate() {
        answer.readable = Some(index > 0);
        if !request.explain {
            continue;
        }
        let pixels = [0, 128, 255, (index * 255) as u8];
        let raw = RawImage {
            width: 2,
            height: 2,
            channels: 1,
            data: pixels.to_vec().into(),
        };
        answer.frame = Some(Image {
            source: Some(Source::Raw(raw)),
        });
        answer.ink_found = Some(index > 0);
        answer.set_polarity(Polarity::DarkOnLight);
        let dropped = [
            (DroppedKind::Line, 11),
            (DroppedKind::Speck, 1),
            (DroppedKind::Neighbour, 1),
        ];
        let dropped = dropped.map(|(kind, count)| Dropped {
            kind: kind.into(),
            count,
        });
        answer.dropped = dropped.to_vec();
    }
    response
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
                ..Classification::default()
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
