//! A TLS client, by rustls.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificates::{Authority, Issued};
use crate::wire::Wire;

/// What a client trusts, shows and offers.
#[derive(Debug, Clone)]
pub struct TlsClient(ClientConfig);

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 1.2
    Tls12,
    /// 1.3
    Tls13,
}

impl Version {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Tls12, Self::Tls13];

    fn rustls(self) -> &'static SupportedProtocolVersion {
        match self {
            Self::Tls12 => &rustls::version::TLS12,
            Self::Tls13 => &rustls::version::TLS13,
        }
    }
}

impl TlsClient {
    /// Trusts `authority`, shows `certificate`, and offers ALPN h2.
    pub fn new(authority: &Authority, certificate: Option<&Issued>, version: Version) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(&authority.pem()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version.rustls()])
            .expect("ring has its cipher suites")
            .with_root_certificates(roots);
        let config = match certificate {
            Some(issued) => {
                let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).expect("a key");
                builder
                    .with_client_auth_cert(certificates(&issued.cert), key)
                    .expect("a pair")
            }
            None => builder.with_no_client_auth(),
        };
        Self(config).offering(&["h2"])
    }

    /// Offers these protocols instead.
    #[must_use]
    pub fn offering(mut self, protocols: &[&str]) -> Self {
        let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
        self.0.alpn_protocols = protocols.collect();
        self
    }

    /// Connects to the server `localhost` at this address.
    ///
    /// # Errors
    /// Why the handshake failed. By TLS 1.3, a client sees the refusal of its certificate only
    /// when it reads.
    pub async fn connect(&self, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        let connector = TlsConnector::from(Arc::new(self.0.clone()));
        let name = ServerName::try_from("localhost").expect("a DNS name");
        connector.connect(name, stream).await
    }

    /// An HTTP/2 connection to the server `localhost` at this address.
    ///
    /// # Errors
    /// Those of [`TlsClient::connect`].
    pub async fn wire(&self, address: SocketAddr) -> std::io::Result<Wire> {
        let stream = self.connect(address).await?;
        Wire::over(stream, address)
            .await
            .map_err(std::io::Error::other)
    }
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    let parsed = CertificateDer::pem_slice_iter(pem.as_bytes());
    parsed.collect::<Result<_, _>>().expect("PEM")
}
