//! What calls carry, and by which ways they go beside TCP.

use quintet_client::{Client, ErrorKind, Image};
use tokio::net::TcpListener;
use tonic::{Status, codegen::http, transport::Endpoint};

use crate::support::FakeServer;

fn image() -> Image {
    Image::encoded("a file")
}

#[tokio::test]
async fn a_unix_socket_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let server = FakeServer::at_socket(&path);
    let builder = Client::builder(server.url()).token("secret");
    let client = builder.connect().await.unwrap();
    assert_eq!(client.address(), server.url());
    client.classify(image()).await.unwrap();

    let nobody = format!("unix://{}", folder.path().join("nobody").display());
    let error = Client::builder(nobody).connect().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Connect);
    assert!(error.message().contains("No such file"), "{error}");
}

#[tokio::test]
async fn calls_go_through_a_given_channel() {
    let server = FakeServer::answering().await;
    let channel = Endpoint::from_shared(server.url()).unwrap().connect_lazy();
    let channel = tower::util::MapRequest::new(
        channel,
        |mut request: tonic::codegen::http::Request<tonic::body::Body>| {
            let value = "layer".parse().unwrap();
            request.headers_mut().insert("x-through", value);
            request
        },
    );
    let builder = Client::builder("http://models.example").token("secret");
    let client = builder.channel(channel).connect().await.unwrap();
    assert_eq!(client.address(), "http://models.example");
    client.classify(image()).await.unwrap();
    let call = &server.calls()[0];
    assert_eq!(call.metadata("x-through"), Some("layer"));
    assert_eq!(call.metadata("authorization"), Some("Bearer secret"));
}

#[tokio::test]
async fn calls_carry_metadata_and_the_token() {
    let server = FakeServer::answering().await;
    let builder = Client::builder(server.url())
        .token("secret")
        .metadata("x-team", "blue")
        .metadata("Trace-Bin", [0, 255]);
    let client = builder.connect().await.unwrap();
    client.classify(image()).await.unwrap();
    let once = client.with_metadata("x-request-id", "mine").unwrap();
    once.classify(image()).await.unwrap();
    let mut answers = client.classify_stream(tokio_stream::once(image()));
    answers.next().await.unwrap().1.unwrap();
    for call in server.calls() {
        assert_eq!(call.metadata("authorization"), Some("Bearer secret"));
        assert_eq!(call.metadata("x-team"), Some("blue"));
        let trace = call.metadata.get_bin("trace-bin").unwrap();
        assert_eq!(&trace.to_bytes().unwrap()[..], [0, 255]);
    }
    let ids: Vec<_> = server.calls();
    let ids: Vec<_> = ids.iter().map(|it| it.metadata("x-request-id")).collect();
    assert_eq!(ids[1], Some("mine"));
    assert_ne!(ids[0].unwrap(), ids[2].unwrap());
}

#[tokio::test]
async fn answers_and_errors_have_the_servers_id_of_the_call() {
    let server = FakeServer::answering().await;
    let client = server.client().with_metadata("x-request-id", "7").unwrap();
    let answer = client.classify(image()).await.unwrap();
    assert_eq!(answer.request_id, "answer to 7");
    let mut answers = client.classify_stream(tokio_stream::once(image()));
    let answer = answers.next().await.unwrap().1.unwrap();
    assert_eq!(answer.request_id, "answer to 7");
    // This call's answer names none, so it is the one that was sent.
    let answer = client.sentiment("text").await.unwrap();
    assert_eq!(answer.request_id, "7");
    let mut parts = client.generate_stream(1);
    assert_eq!(parts.next().await.unwrap().unwrap().request_id, "7");
    let error = client.sentiment("refuse").await.unwrap_err();
    assert_eq!(error.request_id(), Some("7"));

    let server = FakeServer::refusing(Status::unauthenticated("who?")).await;
    let client = server.client().with_metadata("x-request-id", "8").unwrap();
    let error = client.classify(image()).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Unauthenticated);
    assert_eq!(error.request_id(), Some("answer to 8"));
}

#[tokio::test]
async fn details_that_are_not_base64_are_left_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let mut in_trailers = false;
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            let mut answer = http::Response::new(());
            let mut end = http::HeaderMap::new();
            end.insert("grpc-status", 3.into());
            end.insert("grpc-status-details-bin", "!!!".parse().unwrap());
            let headers = answer.headers_mut();
            headers.insert("content-type", "application/grpc".parse().unwrap());
            if in_trailers {
                let mut stream = respond.send_response(answer, false).unwrap();
                stream.send_trailers(end).unwrap();
            } else {
                headers.extend(end);
                respond.send_response(answer, true).unwrap();
            }
            in_trailers = true;
        }
    };
    let client = Client::builder(url).connect_lazy().unwrap();
    let calls = async {
        for place in ["headers", "trailers"] {
            let error = client.classify(image()).await.unwrap_err();
            let kind = error.kind();
            assert!(
                matches!(kind, ErrorKind::InvalidArgument { .. }),
                "{place}: {error}"
            );
        }
    };
    tokio::select! {
        () = calls => {}
        () = server => unreachable!("the client holds its connection"),
    }
}
