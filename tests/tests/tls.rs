//! The server's side of TLS: certificates that change, other protocols, slow peers, the admin
//! port.

use quintet_client::{Client, Compression, ErrorKind, RetryPolicy, Tls};
use quintet_e2e::{
    Authority, CLIENT_NAME, PemFiles, Scrape, Server, ServerBuilder, TlsClient, Version, Wire,
    frame, get_over, server, tiny,
};
use quintet_server::healthcheck;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;

use crate::support::{assert_sdk_answers, request, sdk_request};

const FAILURES: &str = "quintet_reload_failures_total";
const EXPIRY: &str = "quintet_tls_certificate_expiry_timestamp_seconds";
/// The first days of two years, in seconds since 1970.
const YEAR_2040: u64 = 2_208_988_800;
const YEAR_2050: u64 = 2_524_608_000;

/// A server with a model and the certificate of these files.
pub(crate) fn secure(files: &PemFiles) -> ServerBuilder {
    server()
        .model(tiny("digits"))
        .option("--tls-cert", files.path("cert.pem"))
        .option("--tls-key", files.path("key.pem"))
}

/// Starts a server whose gRPC port the harness cannot ask.
pub(crate) async fn start(builder: ServerBuilder) -> Server {
    let server = builder.start_loading().await;
    while server.page("/readyz").await.status != 200 {}
    server
}

/// Whether a call is answered over this connection.
pub(crate) async fn is_answered(wire: &Wire) -> bool {
    let reply = wire.classify(&[], &request(&[frame(3)])).await;
    reply.is_ok_and(|reply| reply.code() == Code::Ok)
}

/// Waits for a handshake that failed for this reason.
pub(crate) async fn failed_handshake(server: &Server, reason: &str) {
    let labels = [("port", "grpc"), ("reason", reason)];
    let failed = |metrics: &Scrape| metrics.value("quintet_tls_handshakes_failed_total", &labels);
    server.metrics_when(|metrics| failed(metrics) > 0).await;
}

#[tokio::test]
async fn a_new_certificate_is_used_and_open_connections_stay() {
    let (old, new) = (Authority::new(), Authority::new());
    let files = PemFiles::new(&old.server(2040), &old);
    let server = start(secure(&files)).await;
    let expiry = |metrics: &Scrape| metrics.value(EXPIRY, &[("port", "grpc")]);
    assert_eq!(expiry(&server.metrics().await), YEAR_2040);
    let before = TlsClient::new(&old, None, Version::Tls13);
    let open = before.wire(server.address()).await.unwrap();
    assert!(is_answered(&open).await);

    files.write_pair(&new.server(2050));
    server.metrics_when(|it| expiry(it) == YEAR_2050).await;
    let after = TlsClient::new(&new, None, Version::Tls13);
    assert!(is_answered(&after.wire(server.address()).await.unwrap()).await);
    assert!(before.wire(server.address()).await.is_err());
    assert!(is_answered(&open).await);
}

#[tokio::test]
async fn a_bad_pair_is_refused_and_the_old_one_stays() {
    let authority = Authority::new();
    let good = authority.server(2040);
    let files = PemFiles::new(&good, &authority);
    let server = start(secure(&files)).await;
    let client = TlsClient::new(&authority, None, Version::Tls13);
    let failures = |metrics: &Scrape| metrics.value(FAILURES, &[("source", "tls")]);
    let is_fresh =
        |metrics: &Scrape| metrics.value("quintet_last_reload_successful", &[("source", "tls")]);

    // The key of another certificate.
    files.write("key.pem", &authority.server(2050).key);
    let metrics = server.metrics_when(|metrics| failures(metrics) > 0).await;
    assert_eq!(is_fresh(&metrics), 0);
    assert_eq!(metrics.value(EXPIRY, &[("port", "grpc")]), YEAR_2040);
    assert!(is_answered(&client.wire(server.address()).await.unwrap()).await);

    // SIGHUP tries again, without a change.
    let tried = failures(&metrics);
    let pid = std::process::id().to_string();
    let kill = std::process::Command::new("kill")
        .args(["-HUP", &pid])
        .status();
    assert!(kill.unwrap().success());
    server
        .metrics_when(|metrics| failures(metrics) > tried)
        .await;
    assert!(is_answered(&client.wire(server.address()).await.unwrap()).await);

    files.write_pair(&good);
    server.metrics_when(|metrics| is_fresh(metrics) == 1).await;

    // Good but for its time.
    files.write_pair(&authority.server(2020));
    let metrics = server.metrics_when(|metrics| is_fresh(metrics) == 0).await;
    assert_eq!(metrics.value(EXPIRY, &[("port", "grpc")]), YEAR_2040);
    assert!(is_answered(&client.wire(server.address()).await.unwrap()).await);
}

#[tokio::test]
async fn plain_text_on_a_tls_port_and_tls_on_a_plain_port() {
    let authority = Authority::new();
    let files = PemFiles::new(&authority.server(2040), &authority);
    let secure = start(secure(&files)).await;
    for bytes in ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = TcpStream::connect(secure.address()).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        // The server ends it.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    failed_handshake(&secure, "not_tls").await;
    let client = TlsClient::new(&authority, None, Version::Tls13);
    assert!(is_answered(&client.wire(secure.address()).await.unwrap()).await);

    let plain = server().model(tiny("digits")).start().await;
    assert!(client.connect(plain.address()).await.is_err());
    assert!(is_answered(&plain.wire().await).await);
}

#[tokio::test]
async fn slow_handshakes_hold_up_nobody() {
    let authority = Authority::new();
    let files = PemFiles::new(&authority.server(2040), &authority);
    let server = start(secure(&files)).await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        // The first bytes of a ClientHello.
        stream.write_all(&[0x16, 3, 1, 2]).await.unwrap();
        slow.push(stream);
    }
    let client = TlsClient::new(&authority, None, Version::Tls13);
    for _ in 0..5 {
        assert!(is_answered(&client.wire(server.address()).await.unwrap()).await);
    }
    drop(slow);
    failed_handshake(&server, "disconnected").await;
}

#[tokio::test]
async fn a_drain_does_not_wait_for_handshakes() {
    let authority = Authority::new();
    let files = PemFiles::new(&authority.server(2040), &authority);
    let server = start(secure(&files)).await;
    let _slow = TcpStream::connect(server.address()).await.unwrap();
    let client = TlsClient::new(&authority, None, Version::Tls13);
    let wire = client.wire(server.address()).await.unwrap();
    assert!(is_answered(&wire).await);
    server.shutdown();
    assert_eq!(server.stopped().await, 0);
}

#[tokio::test]
async fn the_admin_port_shows_metrics_to_certificates_and_health_to_all() {
    let authority = Authority::new();
    let files = PemFiles::new(&authority.server(2040), &authority);
    let server = server()
        .model(tiny("digits"))
        .option("--admin-tls-cert", files.path("cert.pem"))
        .option("--admin-tls-key", files.path("key.pem"))
        .option("--admin-tls-client-ca", files.path("ca.pem"))
        .start()
        .await;
    let address = server.admin_address();
    let client = authority.client();
    for (certificate, path, status) in [
        (None, "/healthz", 200),
        (None, "/readyz", 200),
        (None, "/metrics", 403),
        (Some(&client), "/healthz", 200),
        (Some(&client), "/metrics", 200),
    ] {
        let client = TlsClient::new(&authority, certificate, Version::Tls13);
        let stream = client.offering(&[]).connect(address).await.unwrap();
        let page = get_over(stream, path, "").await;
        assert_eq!(page.status, status, "{path}: {}", page.body);
    }
    let stranger = Authority::new().client();
    let stranger = TlsClient::new(&authority, Some(&stranger), Version::Tls12);
    assert!(stranger.connect(address).await.is_err());

    let asked = tokio::task::spawn_blocking(move || {
        assert!(healthcheck::ask(address, false).is_err());
        healthcheck::ask(address, true)
    });
    asked.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_sdk_is_a_client_with_a_certificate_and_a_token() {
    // SHA-256 of `one`.
    const ONE: &str = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
    let authority = Authority::new();
    let files = PemFiles::new(&authority.server(2040), &authority);
    let caller = format!("[[token]]\nname = \"one\"\nsha256 = \"{ONE}\"\nscopes = [\"infer\"]\n");
    files.write("tokens.toml", &caller);
    let builder = secure(&files)
        .option("--tls-client-ca", files.path("ca.pem"))
        .option("--tokens", files.path("tokens.toml"));
    let server = start(builder).await;
    let url = format!("https://localhost:{}", server.address().port());
    let trusting = Tls::new().ca_certificates(authority.pem());
    let client = authority.client();
    let known = trusting.clone().identity(client.cert, client.key);
    let client = |tls: &Tls, token: &str| {
        let builder = Client::builder(&url).tls(tls.clone()).token(token);
        let builder = builder.retry(RetryPolicy::none());
        builder.compression(Compression::Gzip).connect_lazy()
    };

    let good = client(&known, "one").unwrap();
    let frames: Vec<_> = (0..40).map(|index| frame(index % 10)).collect();
    let answer = good.classify(sdk_request(&frames)).await.unwrap();
    assert_sdk_answers(&answer, &frames);
    let requests = vec![sdk_request(&frames); 5];
    let mut answers = good.classify_stream(tokio_stream::iter(requests));
    let mut count = 0;
    while let Some((_, answer)) = answers.next().await {
        assert_sdk_answers(&answer.unwrap(), &frames);
        count += 1;
    }
    assert_eq!(count, 5);

    let stranger = client(&known, "two").unwrap().list_models().await;
    assert_eq!(*stranger.unwrap_err().kind(), ErrorKind::Unauthenticated);
    let nameless = client(&trusting, "one").unwrap().list_models().await;
    let nameless = nameless.unwrap_err();
    assert_eq!(*nameless.kind(), ErrorKind::Connect, "{nameless}");
    assert!(
        nameless.message().contains("client certificate"),
        "{nameless}"
    );
}

#[tokio::test]
async fn a_certificate_is_a_caller() {
    let authority = Authority::new();
    let files = PemFiles::new(&authority.server(2040), &authority);
    files.write(
        "tokens.toml",
        &format!("[[token]]\nname = \"c\"\ncertificate = \"{CLIENT_NAME}\"\nscopes = [\"infer\", \"metrics\"]\n"),
    );
    let builder = secure(&files)
        .option("--tls-client-ca", files.path("ca.pem"))
        .option("--tls-client-auth", "optional")
        .option("--tokens", files.path("tokens.toml"));
    let server = start(builder).await;
    let client = authority.client();
    for (certificate, code) in [(None, Code::Unauthenticated), (Some(&client), Code::Ok)] {
        let client = TlsClient::new(&authority, certificate, Version::Tls13);
        let wire = client.wire(server.address()).await.unwrap();
        let reply = wire.classify(&[], &request(&[frame(3)])).await.unwrap();
        assert_eq!(reply.code(), code, "{:?}", reply.status);
    }
}
