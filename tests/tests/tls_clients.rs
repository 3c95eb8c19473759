//! Which clients get a connection: authorities, certificates, versions, protocols.

use std::io::ErrorKind;

use quintet_e2e::{Authority, PemFiles, Server, ServerBuilder, TlsClient, Version};
use tokio::io::AsyncReadExt as _;

use crate::tls::{failed_handshake, is_answered, secure, start};

/// Whether this client gets an answer.
async fn gets_through(server: &Server, client: &TlsClient) -> bool {
    match client.wire(server.address()).await {
        Ok(wire) => is_answered(&wire).await,
        Err(_) => false,
    }
}

/// A server that asks clients for certificates of this authority.
fn asking(files: &PemFiles, when: &str) -> ServerBuilder {
    secure(files)
        .option("--tls-client-ca", files.path("ca.pem"))
        .option("--tls-client-auth", when)
}

#[tokio::test]
async fn both_versions_are_served() {
    let authority = Authority::new();
    let files = PemFiles::new(&authority.server(2040), &authority);
    let server = start(secure(&files)).await;
    for version in Version::ALL {
        let client = TlsClient::new(&authority, None, version);
        // Some on each I/O thread.
        for _ in 0..4 {
            assert!(gets_through(&server, &client).await, "{version:?}");
        }
    }
}

#[tokio::test]
async fn a_client_of_another_authority_refuses_the_server() {
    let (authority, other) = (Authority::new(), Authority::new());
    let files = PemFiles::new(&authority.server(2040), &authority);
    let server = start(secure(&files)).await;
    for version in Version::ALL {
        let client = TlsClient::new(&other, None, version);
        assert!(client.connect(server.address()).await.is_err());
    }
    failed_handshake(&server, "refused_by_client").await;
}

#[tokio::test]
async fn a_required_certificate() {
    let (authority, other) = (Authority::new(), Authority::new());
    let files = PemFiles::new(&authority.server(2040), &authority);
    let server = start(asking(&files, "required")).await;
    let (known, unknown) = (authority.client(), other.client());
    for version in Version::ALL {
        for (certificate, passes) in [
            (None, false),
            (Some(&unknown), false),
            // Not for clients.
            (Some(&authority.server(2040)), false),
            (Some(&known), true),
        ] {
            let client = TlsClient::new(&authority, certificate, version);
            assert_eq!(gets_through(&server, &client).await, passes, "{version:?}");
        }
    }
    failed_handshake(&server, "no_certificate").await;
    failed_handshake(&server, "bad_certificate").await;
}

#[tokio::test]
async fn an_optional_certificate() {
    let (authority, other) = (Authority::new(), Authority::new());
    let files = PemFiles::new(&authority.server(2040), &authority);
    let server = start(asking(&files, "optional")).await;
    let (known, unknown) = (authority.client(), other.client());
    for version in Version::ALL {
        for (certificate, passes) in [(None, true), (Some(&unknown), false), (Some(&known), true)] {
            let client = TlsClient::new(&authority, certificate, version);
            assert_eq!(gets_through(&server, &client).await, passes, "{version:?}");
        }
    }
}

#[tokio::test]
async fn a_client_must_offer_h2() {
    let authority = Authority::new();
    let files = PemFiles::new(&authority.server(2040), &authority);
    let server = start(secure(&files)).await;
    for version in Version::ALL {
        let client = TlsClient::new(&authority, None, version);
        assert!(gets_through(&server, &client.clone().offering(&["http/1.1", "h2"])).await);
        for protocols in [&[][..], &["http/1.1"]] {
            let client = client.clone().offering(protocols);
            let error = match client.connect(server.address()).await {
                Ok(mut stream) => stream.read_u8().await.unwrap_err(),
                Err(error) => error,
            };
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
            assert!(
                error.to_string().contains("NoApplicationProtocol"),
                "{error}"
            );
        }
    }
    failed_handshake(&server, "no_alpn").await;
}
