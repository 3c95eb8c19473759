//! Several servers behind one client: who gets calls, and what callers see when one goes away.

use std::time::Duration;

use quintet_client::{Client, ErrorKind, Image, RetryPolicy};
use tokio::net::TcpListener;
use tonic::Status;

use crate::support::{FakeServer, nobody};

fn image() -> Image {
    Image::encoded("a file")
}

fn client(addresses: &[String], attempts: u32) -> Client {
    let retry = RetryPolicy::none()
        .max_attempts(attempts)
        .initial_backoff(Duration::from_millis(1));
    Client::builder(addresses.join(","))
        .retry(retry)
        .connect_lazy()
        .expect("good addresses")
}

#[tokio::test]
async fn servers_take_turns() {
    let servers = [
        FakeServer::answering().await,
        FakeServer::answering().await,
        FakeServer::answering().await,
    ];
    let client = client(&servers.each_ref().map(FakeServer::url), 1);
    for _ in 0..9 {
        client.classify(image()).await.unwrap();
    }
    assert_eq!(servers.each_ref().map(|it| it.calls().len()), [3, 3, 3]);
}

#[tokio::test]
async fn one_that_refuses_or_is_gone_is_not_seen_by_callers() {
    let (there, draining) = (
        FakeServer::answering().await,
        FakeServer::refusing(Status::unavailable("draining")).await,
    );
    let gone = format!("http://{}", nobody().await);
    let client = client(&[gone, draining.url(), there.url()], 3);
    for _ in 0..20 {
        client.classify(image()).await.unwrap();
    }
    assert_eq!(there.calls().len(), 20);
    // It is asked again when it has rested, which 20 calls may or may not last.
    assert!(draining.calls().len() < 10);
}

#[tokio::test]
async fn one_that_says_nothing_is_left_alone_after_a_few_calls() {
    let there = FakeServer::answering().await;
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = [
        there.url(),
        format!("https://{}", silent.local_addr().unwrap()),
    ];
    let client = Client::builder(addresses.join(","))
        .timeout(Duration::from_millis(200))
        .connect_lazy()
        .unwrap();
    let mut lost = 0;
    for _ in 0..40 {
        lost += u32::from(client.classify(image()).await.is_err());
    }
    // Three in a row, and one each time it has rested, instead of every second call. How often it
    // has rested depends on the machine's speed.
    assert!((3..=12).contains(&lost), "{lost}");
}

#[tokio::test]
async fn a_refused_request_says_nothing_of_its_server() {
    let servers = [
        FakeServer::refusing(Status::invalid_argument("bad")).await,
        FakeServer::refusing(Status::invalid_argument("bad")).await,
    ];
    let client = client(&servers.each_ref().map(FakeServer::url), 3);
    for _ in 0..6 {
        client.classify(image()).await.unwrap_err();
    }
    assert_eq!(servers.each_ref().map(|it| it.calls().len()), [3, 3]);
}

#[tokio::test]
async fn connecting_needs_one_server_of_several() {
    let (server, gone) = (FakeServer::answering().await, nobody().await);
    let addresses = format!("{gone},{}", server.url());
    let client = Client::builder(addresses).connect().await.unwrap();
    client.classify(image()).await.unwrap();

    let nowhere = format!("{gone},{}", nobody().await);
    let error = Client::builder(nowhere).connect().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Connect);
}

#[tokio::test]
async fn a_name_is_looked_up() {
    let server = FakeServer::answering().await;
    let port = server.url().rsplit(':').next().unwrap().to_owned();
    // Where the name has IPv6's address too, nobody listens there.
    let client = Client::builder(format!("dns:///localhost:{port}"))
        .connect()
        .await
        .unwrap();
    assert_eq!(client.address(), format!("dns:///localhost:{port}"));
    client.classify(image()).await.unwrap();

    let error = Client::builder("dns:///no-such-name.invalid:1")
        .connect()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Connect);
    assert!(error.message().contains("no-such-name.invalid"), "{error}");
}
