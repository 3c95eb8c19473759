//! The SDK's stream of requests against scripted streams.

use std::{net::SocketAddr, time::Duration};

use quintet_client::{ClassifyRequest, ClassifyStream, Client, ErrorKind, Image};
use quintet_proto::v1::{
    ClassifyStreamRequest, ClassifyStreamResponse, StreamError,
    classify_stream_response::Result as Outcome,
    inference_service_server::{InferenceService, InferenceServiceServer},
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream, UnboundedReceiverStream};
use tonic::{Code, Request, Response, Status, Streaming, codegen::BoxStream, transport::Server};

use crate::support::{FakeServer, nobody, sevens};

type Answers = mpsc::Sender<Result<ClassifyStreamResponse, Status>>;

/// Reads a stream's requests and writes its answers as a test says.
struct Service<F>(F);

#[tonic::async_trait]
impl<F, W> InferenceService for Service<F>
where
    F: Fn(Streaming<ClassifyStreamRequest>, Answers) -> W + Send + Sync + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    async fn classify_stream(
        &self,
        request: Request<Streaming<ClassifyStreamRequest>>,
    ) -> Result<Response<BoxStream<ClassifyStreamResponse>>, Status> {
        let (answers, stream) = mpsc::channel(1);
        tokio::spawn((self.0)(request.into_inner(), answers));
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

async fn client<F, W>(script: F) -> Client
where
    F: Fn(Streaming<ClassifyStreamRequest>, Answers) -> W + Send + Sync + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address: SocketAddr = listener.local_addr().expect("the listener is bound");
    let server = Server::builder()
        .add_service(InferenceServiceServer::new(Service(script)))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    let client = Client::builder(address.to_string());
    client.connect().await.expect("the server listens")
}

/// Sends the answer; false when nobody waits for it any more.
async fn answer(answers: &Answers, request: ClassifyStreamRequest) -> bool {
    let response = ClassifyStreamResponse {
        index: request.index,
        result: Some(Outcome::Response(sevens(
            &request.request.unwrap_or_default(),
        ))),
    };
    answers.send(Ok(response)).await.is_ok()
}

fn requests(images: &[usize]) -> impl tokio_stream::Stream<Item = ClassifyRequest> + use<> {
    let requests = images
        .iter()
        .map(|&count| vec![Image::encoded("a file"); count].into());
    tokio_stream::iter(requests.collect::<Vec<_>>())
}

/// The rest of the answers: how many predictions, or the kind of the error.
async fn all(mut answers: ClassifyStream) -> Vec<(usize, Result<usize, ErrorKind>)> {
    let mut all = Vec::new();
    while let Some((index, answer)) = answers.next().await {
        let answer = answer.map(|it| it.predictions.len());
        all.push((index, answer.map_err(|it| it.kind().clone())));
    }
    assert!(answers.next().await.is_none());
    all
}

#[tokio::test]
async fn answers_come_as_they_are_done_and_a_failed_request_ends_nothing() {
    let client = client(|mut requests, answers| async move {
        let mut read = Vec::new();
        while let Ok(Some(request)) = requests.message().await {
            read.push(request);
        }
        for request in read.into_iter().rev() {
            if request.index == 1 {
                let error = StreamError {
                    code: Code::ResourceExhausted.into(),
                    message: "the queue is full".into(),
                    retry_after_ms: 30,
                };
                let result = Some(Outcome::Error(error));
                let response = ClassifyStreamResponse { index: 1, result };
                answers.send(Ok(response)).await.unwrap();
            } else {
                answer(&answers, request).await;
            }
        }
    })
    .await;
    let mut answers = client.classify_stream(requests(&[1, 1, 3]));
    let (index, answer) = answers.next().await.unwrap();
    assert_eq!((index, answer.unwrap().predictions.len()), (2, 3));
    let (index, answer) = answers.next().await.unwrap();
    let error = answer.unwrap_err();
    assert_eq!((index, error.kind()), (1, &ErrorKind::Overloaded));
    assert_eq!(error.retry_delay(), Some(Duration::from_millis(30)));
    assert!(error.is_retryable());
    assert_eq!(
        error.to_string(),
        "ClassifyStream: overloaded: the queue is full"
    );
    assert_eq!(all(answers).await, [(0, Ok(1))]);
}

#[tokio::test]
async fn no_requests_have_no_answers() {
    let server = FakeServer::answering().await;
    let answers = server.client().classify_stream(requests(&[]));
    assert_eq!(all(answers).await, []);
}

#[tokio::test]
async fn requests_without_an_answer_get_the_streams_own_failure() {
    let client = client(|mut requests, answers| async move {
        let first = requests.message().await.unwrap().unwrap();
        requests.message().await.unwrap().unwrap();
        answer(&answers, first).await;
        let status = Status::unavailable("the server stops");
        answers.send(Err(status)).await.unwrap();
    })
    .await;
    let answers = client.classify_stream(requests(&[1, 1]));
    let lost = Err(ErrorKind::Unavailable);
    assert_eq!(all(answers).await, [(0, Ok(1)), (1, lost)]);
}

#[tokio::test]
async fn a_stream_that_fails_idle_says_so_too() {
    let client = client(|_, answers| async move {
        let status = Status::unavailable("the server stops");
        answers.send(Err(status)).await.unwrap();
    })
    .await;
    let (_sender, idle) = mpsc::unbounded_channel::<Image>();
    let answers = client.classify_stream(UnboundedReceiverStream::new(idle));
    assert_eq!(all(answers).await, [(0, Err(ErrorKind::Unavailable))]);

    let client = Client::builder(nobody().await).connect_lazy().unwrap();
    let answers = client.classify_stream(requests(&[1]));
    assert_eq!(all(answers).await, [(0, Err(ErrorKind::Connect))]);
}

#[tokio::test]
async fn answers_that_fit_no_request_end_the_stream() {
    let client = client(|mut requests, answers| async move {
        let mut request = requests.message().await.unwrap().unwrap();
        request.index = 7;
        answer(&answers, request).await;
    })
    .await;
    let answers = client.classify_stream(requests(&[1]));
    assert_eq!(all(answers).await, [(0, Err(ErrorKind::Protocol))]);
}

#[tokio::test]
async fn the_timeout_is_the_whole_streams_and_the_window_bounds_what_is_under_way() {
    let client = client(|mut requests, answers| async move {
        while let Ok(Some(_)) = requests.message().await {}
        drop(answers);
    })
    .await;
    let client = client.with_timeout(Duration::from_millis(300));
    let (taken, mut count) = mpsc::unbounded_channel();
    let endless = tokio_stream::iter(std::iter::repeat_with(move || {
        taken.send(()).unwrap();
        Image::encoded("")
    }));
    let answers = all(client.classify_stream(endless)).await;
    let late = Err(ErrorKind::DeadlineExceeded);
    assert_eq!(answers.len(), 512);
    assert!(
        answers
            .iter()
            .enumerate()
            .all(|(index, it)| *it == (index, late.clone()))
    );
    let mut taken = 0;
    while count.recv().await.is_some() {
        taken += 1;
    }
    assert_eq!(taken, 512);
}

#[tokio::test]
async fn more_requests_than_the_window_are_all_answered() {
    let server = FakeServer::answering().await;
    let answers = server.client().classify_stream(requests(&[1; 2000]));
    let mut answers = all(answers).await;
    answers.sort_by_key(|it| it.0);
    assert!((0..2000).map(|index| (index, Ok(1))).eq(answers));
}

#[tokio::test]
async fn a_request_over_the_message_size_is_not_sent_and_the_stream_goes_on() {
    let server = FakeServer::answering().await;
    let builder = Client::builder(server.url()).max_message_size(1000);
    let client = builder.connect_lazy().unwrap();
    let requests = [10, 1000, 10].map(|size| Image::encoded(vec![0; size]));
    let mut answers = all(client.classify_stream(tokio_stream::iter(requests))).await;
    answers.sort_by_key(|it| it.0);
    let refused = Err(ErrorKind::MessageTooLarge);
    assert_eq!(answers, [(0, Ok(1)), (1, refused), (2, Ok(1))]);
    assert_eq!(server.calls().len(), 2);
}

#[tokio::test]
async fn dropping_the_answers_drops_the_requests() {
    let client = client(|mut requests, answers| async move {
        while let Ok(Some(request)) = requests.message().await {
            answer(&answers, request).await;
        }
    })
    .await;
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut answers = client.classify_stream(UnboundedReceiverStream::new(receiver));
    sender.send(Image::encoded("")).unwrap();
    assert!(answers.next().await.unwrap().1.is_ok());
    drop(answers);
    sender.closed().await;
}
