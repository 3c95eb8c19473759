//! The SDK over TLS.

use std::sync::Arc;

use quintet_client::{Client, ErrorKind, Image, RetryPolicy, Tls};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::{FakeServer, certificates::Authority};

fn image() -> Image {
    Image::encoded("a file")
}

fn client(server: &str, tls: Tls) -> Client {
    let builder = Client::builder(server).tls(tls).retry(RetryPolicy::none());
    builder.connect_lazy().expect("the settings are good")
}

/// The failure of a call.
async fn failure(client: &Client) -> String {
    let outcome = client.classify(image()).await;
    let error = outcome.expect_err("the handshake fails");
    assert_eq!(error.kind(), &ErrorKind::Connect, "{error}");
    assert_eq!(error.request_id(), None);
    error.message().to_owned()
}

#[tokio::test]
async fn a_server_of_a_trusted_authority_is_called() {
    let authority = Authority::new();
    let server = FakeServer::over_tls(authority.server("localhost")).await;
    let client = client(&server.url(), authority.trusted());
    assert_eq!(client.address(), server.url());
    client.classify(image()).await.unwrap();
    let builder = Client::builder(server.url()).tls(authority.trusted());
    builder
        .connect()
        .await
        .unwrap()
        .list_models()
        .await
        .unwrap();
    // Without a scheme, settings of TLS mean it.
    let address = server.url().replace("https://", "");
    let client = self::client(&address, authority.trusted());
    client.classify(image()).await.unwrap();
}

#[tokio::test]
async fn another_authority_or_name_is_refused() {
    let authority = Authority::new();
    let server = FakeServer::over_tls(authority.server("models.example")).await;
    for (tls, reason) in [
        (Authority::named("another").trusted(), "UnknownIssuer"),
        (authority.trusted(), "not valid for name \"localhost\""),
    ] {
        let message = failure(&client(&server.url(), tls.clone())).await;
        assert!(message.contains(reason), "{message}");
        let builder = Client::builder(server.url()).tls(tls);
        let error = builder.connect().await.unwrap_err();
        assert!(error.message().contains(reason), "{error}");
    }
    let tls = authority.trusted().server_name("models.example");
    client(&server.url(), tls).classify(image()).await.unwrap();
}

#[tokio::test]
async fn an_authority_that_serves_is_told_what_it_needs() {
    let authority = Authority::new();
    let server = FakeServer::over_tls(authority.itself()).await;
    let message = failure(&client(&server.url(), authority.trusted())).await;
    assert!(message.contains("basicConstraints=CA:FALSE"), "{message}");
}

#[tokio::test]
async fn a_server_can_ask_for_the_clients_certificate() {
    let authority = Authority::new();
    let server = FakeServer::over_tls(authority.mutual_server("localhost")).await;
    let message = failure(&client(&server.url(), authority.trusted())).await;
    assert_eq!(message, "the server asks for a client certificate");
    let (certificate, key) = authority.issue("client");
    let tls = authority.trusted().identity(certificate, key);
    client(&server.url(), tls).classify(image()).await.unwrap();
}

#[tokio::test]
async fn each_address_of_a_name_has_the_names_certificate() {
    let authority = Authority::new();
    let server = FakeServer::over_tls(authority.server("localhost")).await;
    let name = server.url().replace("https://", "dns:///");
    let builder = Client::builder(&name).tls(authority.trusted());
    let client = builder.connect().await.unwrap();
    assert_eq!(client.address(), name);
    client.classify(image()).await.unwrap();
}

#[tokio::test]
async fn tls_and_plain_text_that_meet_say_so() {
    let plain = FakeServer::answering().await;
    let url = plain.url().replace("http://127.0.0.1", "https://localhost");
    let message = failure(&client(&url, Authority::new().trusted())).await;
    assert_eq!(
        message,
        "the server does not answer in TLS; http:// is for plain text"
    );

    let secure = FakeServer::over_tls(Authority::new().server("localhost")).await;
    let url = secure.url().replace("https://", "http://");
    let builder = Client::builder(url).retry(RetryPolicy::none());
    let message = failure(&builder.connect_lazy().unwrap()).await;
    assert_eq!(
        message,
        "the server does not answer in HTTP/2; https:// is for TLS"
    );
}

#[tokio::test]
async fn a_proxys_page_comes_over_tls_too() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("localhost");
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let proxy = async {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await;
        let mut connection = h2::server::handshake(stream.unwrap()).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            assert_eq!(request.uri().scheme_str(), Some("https"));
            let page = tonic::codegen::http::Response::builder().status(503);
            respond.send_response(page.body(()).unwrap(), true).unwrap();
        }
    };
    let client = client(&url, authority.trusted());
    let error = tokio::select! {
        outcome = client.classify(image()) => outcome.unwrap_err(),
        () = proxy => unreachable!("the client holds its connection"),
    };
    assert_eq!(error.kind(), &ErrorKind::Unavailable);
    assert!(error.message().contains("503"), "{error}");
}
