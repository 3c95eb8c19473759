//! What is said of files that cannot be used, identities, and the deadline of a handshake.

mod authorities;

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::certificate::{Validity, time};
use super::handshake::{Failure, LIMIT, in_turns, within_limit};
use super::turns::Turns;
use super::*;
use crate::config::ConfigError;
use crate::metrics::Metrics;
use crate::reload::OptionFile;

/// A certificate that signs itself, and its key.
fn pair(params: &CertificateParams) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap(), key)
}

/// Opens these contents as a port's certificate, key and authorities of clients.
fn open(cert: &str, key: &str, client_ca: Option<&str>) -> (TempDir, Result<(), ConfigError>) {
    let folder = tempfile::tempdir().unwrap();
    let file = |option, text: &str| {
        let path = folder.path().join(option);
        std::fs::write(&path, text).unwrap();
        OptionFile::new(option, path)
    };
    let files = Files {
        port: Port::Grpc,
        cert: file("tls_cert", cert),
        key: file("tls_key", key),
        client_ca: client_ca.map(|text| file("tls_client_ca", text)),
        client_auth: ClientAuth::Required,
    };
    let opened = files.open(&Metrics::new("none")).map(|_| ());
    (folder, opened)
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let (cert, key) = pair(&CertificateParams::default());
    let (cert, key) = (cert.pem(), key.serialize_pem());
    let (_, other) = pair(&CertificateParams::default());
    let other = other.serialize_pem();
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIC\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let encrypted_rsa = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
        DEK-Info: AES-256-CBC,00\n\nMIIC\n-----END RSA PRIVATE KEY-----\n";
    let unusable = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    let cut = &cert[..cert.len() / 2];
    let cut_key = &key[..key.len() / 2];
    let no_base64 = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
    let bad_begin = "-----BEGIN CERTIFICATE\nAAAA\n-----END CERTIFICATE-----\n";
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (cert, key, client_ca, option, problem) in [
        (
            &*cert,
            &*other,
            None,
            "tls_key",
            "is not the key of the certificate in",
        ),
        (&cert, encrypted, None, "tls_key", "is encrypted"),
        (&cert, &cert, None, "tls_key", "holds no private key"),
        (&cert, "", None, "tls_key", "holds no private key"),
        (&key, &key, None, "tls_cert", "holds no certificate"),
        (&cert, encrypted_rsa, None, "tls_key", "is encrypted"),
        (
            &cert,
            unusable,
            None,
            "tls_key",
            "RSA of 2048 to 4096 bits, P-256, P-384 and Ed25519 are allowed",
        ),
        (cut, &key, None, "tls_cert", "is cut: a BEGIN line"),
        (&cert, cut_key, None, "tls_key", "is cut: a BEGIN line"),
        (no_base64, &key, None, "tls_cert", "that is not base64"),
        (bad_begin, &key, None, "tls_cert", "a BEGIN line without"),
        (garbage, &key, None, "tls_cert", ""),
        (
            &cert,
            &key,
            Some(&*key),
            "tls_client_ca",
            "holds no certificate",
        ),
        (
            &cert,
            &key,
            Some(garbage),
            "tls_client_ca",
            "cannot be used",
        ),
    ] {
        let (folder, opened) = open(cert, key, client_ca);
        let error = opened.unwrap_err();
        assert_eq!(error.option, option, "{error}");
        let path = folder.path().join(option).display().to_string();
        assert!(error.problem.starts_with(&path), "{error}");
        assert!(error.problem.contains(problem), "{error}");
        assert!(!error.problem.contains('['), "{error}");
    }
    let commented = format!("# It was ENCRYPTED.\nProc-Type: 4,ENCRYPTED\n{key}");
    open(&cert, &commented, None).1.unwrap();
    // Both in one file.
    let both = cert + &key;
    open(&both, &both, None).1.unwrap();
}

/// A certificate that is valid from the first day of a year until that of another.
fn valid(from: i32, until: i32) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    params
}

#[test]
fn what_is_not_valid_now_is_served_from_the_start_and_refused_at_a_reload() {
    let write = |file: &OptionFile, text: String| std::fs::write(&file.path, text).unwrap();
    for (from, until, problem) in [
        (
            2000,
            2001,
            "has expired; it is valid from 2000-01-01T00:00:00Z until 2001-01-01T",
        ),
        (
            2900,
            2901,
            "is not valid yet; it is valid from 2900-01-01T00:00:00Z until 2901-",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = |option| OptionFile::new(option, folder.path().join(option));
        let files = Files {
            port: Port::Grpc,
            cert: file("tls_cert"),
            key: file("tls_key"),
            client_ca: None,
            client_auth: ClientAuth::Required,
        };
        let write_pair = |params| {
            let (cert, key) = pair(&params);
            write(&files.cert, cert.pem());
            write(&files.key, key.serialize_pem());
        };
        let metrics = Metrics::new("none");
        write_pair(valid(from, until));
        let (_, mut source) = files.clone().open(&metrics).unwrap();
        write_pair(valid(2000, 2900));
        source.check(true).unwrap().unwrap();

        let (credentials, mut source) = files.clone().open(&metrics).unwrap();
        let before = credentials.config();
        write_pair(valid(from, until));
        let error = source.check(true).unwrap().unwrap_err();
        assert_eq!(error.option, "tls_cert");
        assert!(error.problem.contains(problem), "{error}");
        assert!(Arc::ptr_eq(&before, &credentials.config()));
        write_pair(valid(2000, 2800));
        source.check(true).unwrap().unwrap();
        assert!(!Arc::ptr_eq(&before, &credentials.config()));
    }
}

#[test]
fn a_chain_is_valid_while_all_of_it_is() {
    let certificate = |from, until| pair(&valid(from, until)).0.der().clone();
    let chain = [certificate(2000, 2040), certificate(2020, 2050)];
    let validity = Validity::of(&chain).unwrap();
    assert_eq!(validity.until, 2_208_988_800);
    for (at, is_valid) in [
        (1_577_836_799, false),
        (1_577_836_800, true),
        (2_208_988_800, true),
        (2_208_988_801, false),
    ] {
        assert_eq!(validity.check(time(at)).is_ok(), is_valid, "{at}");
    }
    assert!(Validity::of(&[]).is_err());
}

#[test]
fn identities_are_uri_then_dns_then_common_name() {
    let uri = SanType::URI("spiffe://x/y".try_into().unwrap());
    let dns = SanType::DnsName("y.x".try_into().unwrap());
    let long = "y".repeat(300);
    for (names, common_name, identity) in [
        (vec![dns.clone(), uri], "y", Some("spiffe://x/y")),
        (vec![dns], "y", Some("y.x")),
        (vec![], "y", Some("y")),
        (vec![], "two\nlines", None),
        (vec![], &long, None),
        (vec![], "", None),
        (vec![], "spiffe://x/y", None),
    ] {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.distinguished_name.remove(DnType::CommonName);
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        let (cert, _) = pair(&params);
        let found = Identity::of(cert.der()).map(|identity| identity.to_string());
        assert_eq!(found.as_deref(), identity);
    }
}

/// What a port's handshakes use.
fn credentials(port: Port) -> Arc<Credentials> {
    let (cert, key) = pair(&CertificateParams::default());
    let folder = tempfile::tempdir().unwrap();
    let file = |option, text: String| {
        std::fs::write(folder.path().join(option), text).unwrap();
        OptionFile::new(option, folder.path().join(option))
    };
    let files = Files {
        port,
        cert: file("tls_cert", cert.pem()),
        key: file("tls_key", key.serialize_pem()),
        client_ca: None,
        client_auth: ClientAuth::Required,
    };
    files.open(&Metrics::new("none")).unwrap().0
}

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The two ends of a connection, the server's first.
async fn connected() -> (std::net::TcpStream, TcpStream) {
    let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = TcpStream::connect(address).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (server.into_std().unwrap(), client)
}

/// Every thread of a port's handshakes is busy.
#[tokio::test]
async fn handshakes_of_one_port_do_not_hold_up_the_other() {
    let handshakes = |port| Handshakes::start(credentials(port), 1, Metrics::new("none"));
    let (grpc, admin) = (handshakes(Port::Grpc), handshakes(Port::Admin));
    let (grpc, admin) = (grpc.unwrap(), admin.unwrap());
    let (release, busy) = std::sync::mpsc::channel::<()>();
    grpc.handle().spawn(async move {
        let _ = busy.recv();
    });
    let (server, client) = connected().await;
    let (secured, shaken) = tokio::join!(admin.secure(server), connect_unverified(client, LOCAL));
    secured.unwrap();
    shaken.unwrap();
    drop(release);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_handshake_takes_turns_for_its_work_alone() {
    let credentials = credentials(Port::Admin);
    let turns = Turns::new(1);
    let handshake = |stream| {
        let (credentials, turns) = (Arc::clone(&credentials), Arc::clone(&turns));
        tokio::spawn(async move { within_limit(stream, &credentials, &turns).await })
    };
    let others = turns.take([10, 0, 0, 1].into()).await;
    let (server, client) = connected().await;
    let server = handshake(server);
    let client = tokio::spawn(connect_unverified(client, LOCAL));
    while turns.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!server.is_finished() && !client.is_finished());
    // It says nothing, and then no more than a ClientHello.
    let (silent, _silent) = connected().await;
    let _silent_handshake = handshake(silent);
    let (deaf, mut half) = connected().await;
    let deaf = handshake(deaf);
    half.write_all(&hello()).await.unwrap();
    while turns.waiting() == 1 {
        tokio::task::yield_now().await;
    }
    drop(others);
    client.await.unwrap().unwrap();
    server.await.unwrap().unwrap();
    assert!(!deaf.is_finished());
}

/// Otherwise the runtime's own order, first in and first out, would be that of the handshakes.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn others_ask_for_their_turns_during_a_step() {
    let turns = Turns::new(1);
    let step = |steps: Pin<Box<dyn Future<Output = ()> + Send>>, address: IpAddr| {
        let turns = Arc::clone(&turns);
        tokio::spawn(async move { in_turns(steps, &turns, address).await })
    };
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (begin, begun) = tokio::sync::oneshot::channel();
    let long = async move {
        begin.send(()).unwrap();
        let _ = released.recv_timeout(LIMIT);
    };
    let long = step(Box::pin(long), LOCAL);
    begun.await.unwrap();
    let other = step(Box::pin(async {}), [127, 0, 0, 2].into());
    while turns.waiting() == 0 && !long.is_finished() {
        tokio::task::yield_now().await;
    }
    assert_eq!(turns.waiting(), 1);
    release.send(()).unwrap();
    long.await.unwrap();
    other.await.unwrap();
}

/// A client's first message.
fn hello() -> Vec<u8> {
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(rustls::RootCertStore::empty())
    .with_no_client_auth();
    let client = rustls::ClientConnection::new(Arc::new(config), LOCAL.into());
    let mut hello = Vec::new();
    client.unwrap().write_tls(&mut hello).unwrap();
    hello
}

#[tokio::test(start_paused = true)]
async fn a_handshake_has_a_deadline() {
    let credentials = credentials(Port::Grpc);
    let (server, _silent) = connected().await;
    let started = Instant::now();
    let failure = within_limit(server, &credentials, &Turns::new(1))
        .await
        .unwrap_err();
    assert!(matches!(failure, Failure::Slow), "{failure}");
    assert!(started.elapsed() >= LIMIT);
}
