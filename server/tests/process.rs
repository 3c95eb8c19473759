//! The program as a supervisor sees it: signals, its log and its exit code.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The program, its log, and the empty repository that it is to find.
fn spawn(arguments: &[&str]) -> (Child, BufReader<ChildStderr>, TempDir) {
    let models = tempfile::tempdir().expect("a temporary folder can be made");
    let mut server = Command::new(env!("CARGO_BIN_EXE_quintet-server"))
        .arg("--models-dir")
        .arg(models.path())
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .args(["--device", "cpu", "--shutdown-delay", "100ms"])
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("quintet-server runs");
    let log = BufReader::new(server.stderr.take().expect("it is piped"));
    (server, log, models)
}

/// The program, its log, and the line that it listens.
fn start_with(arguments: &[&str]) -> (Child, BufReader<ChildStderr>, String) {
    let (server, mut log, _models) = spawn(arguments);
    let line = until(&mut log, "listening");
    (server, log, line)
}

fn start() -> (Child, BufReader<ChildStderr>) {
    let (server, log, _) = start_with(&[]);
    (server, log)
}

/// Reads the log as far as a line with these words.
fn until(log: &mut BufReader<ChildStderr>, words: &str) -> String {
    let mut line = String::new();
    while !line.contains(words) {
        line.clear();
        let read = log.read_line(&mut line).expect("the log is text");
        assert!(read > 0, "the log ends before {words:?}");
    }
    line
}

fn send(server: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &server.id().to_string()])
        .status();
    assert!(sent.expect("kill runs").success());
}

#[test]
fn a_log_without_a_reader_does_not_end_the_server() {
    let (mut server, log) = start();
    drop(log);
    send(&server, "-TERM");
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

/// As GNU's `timeout` sends it.
#[test]
fn a_signal_that_comes_twice_is_one() {
    let (mut server, mut log) = start();
    send(&server, "-TERM");
    until(&mut log, "shutting down");
    send(&server, "-TERM");
    until(&mut log, "stopped");
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

#[test]
fn a_hangup_is_no_end() {
    let (mut server, mut log) = start();
    send(&server, "-HUP");
    until(&mut log, "SIGHUP");
    send(&server, "-TERM");
    until(&mut log, "stopped");
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

/// The start loads ONNX Runtime, here from a pipe whose other end is this test.
#[test]
fn a_hangup_during_the_start_is_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("lib.so");
    let made = Command::new("mkfifo").arg(&library).status();
    assert!(made.expect("mkfifo runs").success());
    let (mut server, mut log, _models) = spawn(&["--onnxruntime", library.to_str().unwrap()]);
    // It opens once the server has opened its end, and waits.
    let pipe = File::options().write(true).open(&library).unwrap();
    send(&server, "-HUP");
    drop(pipe);
    until(&mut log, "lib.so");
    assert_eq!(server.wait().unwrap().code(), Some(1));
}

#[test]
fn a_certificate_that_is_not_valid_now_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (from, to, words) in [
        (2000, 2001, "the certificate has expired"),
        (2900, 2901, "the certificate is not valid yet"),
    ] {
        let mut params = rcgen::CertificateParams::default();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap();
        std::fs::write(path("cert.pem"), cert.pem()).unwrap();
        std::fs::write(path("key.pem"), key.serialize_pem()).unwrap();
        let files = [
            "--tls-cert",
            &path("cert.pem"),
            "--tls-key",
            &path("key.pem"),
        ];
        let (mut server, mut log, _models) = spawn(&files);
        until(&mut log, words);
        until(&mut log, "listening");
        send(&server, "-TERM");
        assert_eq!(server.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_token_that_has_expired_is_not_made() {
    let made = Command::new(env!("CARGO_BIN_EXE_quintet-server"))
        .args(["token", "new", "ci", "--scope", "infer", "--expires"])
        .arg("2020-01-01")
        .output()
        .expect("quintet-server runs");
    assert!(!made.status.success());
    assert!(made.stdout.is_empty());
    let told = String::from_utf8(made.stderr).expect("text");
    for words in ["--expires", "2020-01-01", "past"] {
        assert!(told.contains(words), "{told}");
    }
}

/// A new token, and its entry in the file of callers.
fn new_token() -> (String, String) {
    let printed = Command::new(env!("CARGO_BIN_EXE_quintet-server"))
        .args([
            "token", "new", "ci", "--scope", "infer", "--scope", "metrics",
        ])
        .output()
        .expect("quintet-server runs");
    let printed = String::from_utf8(printed.stdout).expect("text");
    let (token, entry) = printed.split_once("\n\n").expect("a token and an entry");
    (token.to_owned(), entry.to_owned())
}

/// The value of a field of a line of the log.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let start = format!("\"{name}\":\"");
    let (_, rest) = line.split_once(&start).expect("the field is there");
    rest.split('"').next().expect("it has an end")
}

/// Asks for the metrics over HTTP, and for the models over gRPC, with this token.
#[tokio::main(flavor = "current_thread")]
async fn ask(grpc: &str, http: &str, token: &str) -> Result<(), Box<dyn Error>> {
    let mut admin = TcpStream::connect(http).await?;
    let request = format!(
        "GET /metrics HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    admin.write_all(request.as_bytes()).await?;
    let mut page = String::new();
    admin.read_to_string(&mut page).await?;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");

    let stream = TcpStream::connect(grpc).await?;
    let (mut requests, connection) = h2::client::handshake(stream).await?;
    tokio::spawn(connection);
    let path = "quintet.v1.InferenceService/ListModels";
    let request = http::Request::post(format!("http://{grpc}/{path}"))
        .header("content-type", "application/grpc")
        .header("authorization", format!("Bearer {token}"))
        .body(())?;
    let (answer, mut body) = requests.send_request(request, false)?;
    body.send_data(bytes::Bytes::from_static(&[0; 5]), true)?;
    // An error would stand in the headers.
    assert!(!answer.await?.headers().contains_key("grpc-status"));
    Ok(())
}

#[test]
fn a_token_is_in_no_line_of_the_log() {
    let (token, entry) = new_token();
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens.toml");
    std::fs::write(&tokens, entry).unwrap();
    let arguments = ["--log", "trace", "--log-format", "json", "--tokens"];
    let arguments = [&arguments[..], &[tokens.to_str().unwrap()]].concat();
    let (mut server, mut log, line) = start_with(&arguments);
    // The log is read meanwhile, so that the server never waits for it.
    let reader = std::thread::spawn(move || {
        let mut all = String::new();
        log.read_to_string(&mut all).unwrap();
        all
    });
    ask(field(&line, "grpc"), field(&line, "http"), &token).unwrap();
    // A mistake in the file is told, but not what stands there.
    std::fs::write(&tokens, format!("[[token]]\nname = {token}\n")).unwrap();
    send(&server, "-HUP");
    let (_, secret) = token.split_at(20);
    send(&server, "-TERM");
    assert_eq!(server.wait().unwrap().code(), Some(0));
    let log = reader.join().unwrap();
    assert!(log.contains("\"caller\":\"ci\""), "{log}");
    assert!(!log.contains(secret));
}

/// Makes a handshake with a server of this certificate.
#[tokio::main(flavor = "current_thread")]
async fn shake_hands(
    grpc: &str,
    certificate: &CertificateDer<'static>,
) -> Result<(), Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(grpc).await?;
    let name = "localhost".try_into()?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let mut stream = stream.await?;
    // The server's settings.
    stream.read_u8().await?;
    Ok(())
}

#[test]
fn a_key_is_in_no_line_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    let pem = signed.signing_key.serialize_pem();
    std::fs::write(&cert, signed.cert.pem()).unwrap();
    std::fs::write(&key, &pem).unwrap();
    let arguments = ["--log", "trace", "--log-format", "json", "--tls-cert"];
    let files = [cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let (mut server, mut log, line) = start_with(&[&arguments[..], &files].concat());
    let reader = std::thread::spawn(move || {
        let mut all = String::new();
        log.read_to_string(&mut all).unwrap();
        all
    });
    shake_hands(field(&line, "grpc"), signed.cert.der()).unwrap();
    // A mistake in the file is told, but not what stands there.
    std::fs::write(&key, pem.replace("PRIVATE KEY", "KEY")).unwrap();
    send(&server, "-HUP");
    send(&server, "-TERM");
    assert_eq!(server.wait().unwrap().code(), Some(0));
    let log = reader.join().unwrap();
    assert!(log.contains("rustls"), "{log}");
    for line in pem.lines().filter(|line| !line.starts_with("-----")) {
        assert!(!log.contains(line), "{line}");
    }
}

#[test]
fn files_that_cannot_be_used_end_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.pem");
    std::fs::write(&bad, "no PEM").unwrap();
    let bad = bad.to_str().unwrap();
    for (arguments, code, words) in [
        (
            &["--tls-cert", bad, "--tls-key", bad][..],
            1,
            format!("error: tls_cert: {bad}: holds no certificate"),
        ),
        (
            &["--tokens", bad],
            1,
            format!("error: tokens: {bad}: line 1"),
        ),
        (
            &["--tls-cert", bad],
            64,
            "error: tls_cert: is set without tls_key".to_owned(),
        ),
    ] {
        let ended = Command::new(env!("CARGO_BIN_EXE_quintet-server"))
            .arg("--models-dir")
            .arg(folder.path())
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .args(arguments)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(code), "{told}");
        assert!(told.contains(&words), "{told}");
        assert!(!told.contains("listening"), "{told}");
    }
}
