//! A port's certificate, its key and the authorities of its clients, from PEM files.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::server::NoServerSessionStorage;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, ServerConfig};

use super::authorities::Authorities;
use super::certificate::{Validity, time};
use super::pem::{certificates, private_key};
use crate::config::ConfigError;
use crate::metrics::Metrics;
use crate::reload::{Contents, Current, OptionFile, Source, read_all};

/// The kinds of keys that ring signs with.
const USABLE_KEYS: &str = "RSA of 2048 to 4096 bits, P-256, P-384 and Ed25519";

/// The ports that TLS may protect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    /// gRPC over HTTP/2.
    Grpc,
    /// `/metrics` and health over HTTP/1.1.
    Admin,
}

/// Which clients may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientAuth {
    /// Those with a certificate of the client authorities.
    Required,
    /// Also those without a certificate; one that is sent must be valid.
    Optional,
}

/// The PEM files of one port.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) port: Port,
    pub(crate) cert: OptionFile,
    pub(crate) key: OptionFile,
    pub(crate) client_ca: Option<OptionFile>,
    pub(crate) client_auth: ClientAuth,
}

/// What a port's handshakes use, replaced when the files change.
pub(crate) struct Credentials {
    port: Port,
    current: Current<ServerConfig>,
}

/// What the files hold.
struct Loaded {
    config: ServerConfig,
    /// Of the whole chain.
    validity: Validity,
    /// Of the server's own certificate.
    own: Validity,
    /// When the first of the chain and of the clients' valid authorities expires, in seconds since
    /// 1970.
    expires: i64,
}

impl Port {
    /// Its name in the log and the metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Admin => "admin",
        }
    }

    /// The name of its files in the log and the metrics.
    fn source(self) -> &'static str {
        match self {
            Self::Grpc => "tls",
            Self::Admin => "admin_tls",
        }
    }

    /// The protocol that its clients speak, as ALPN names it.
    pub(super) fn alpn(self) -> &'static [u8] {
        match self {
            Self::Grpc => b"h2",
            Self::Admin => b"http/1.1",
        }
    }
}

impl Files {
    /// Reads the files, and watches them from then on. A certificate that is not valid now is used
    /// at the start, where there is no better one, but replaces none later.
    ///
    /// # Errors
    /// A file cannot be read or used, or the key is another certificate's.
    pub(crate) fn open(self, metrics: &Metrics) -> Result<(Arc<Credentials>, Source), ConfigError> {
        let files: Vec<OptionFile> = [&self.cert, &self.key]
            .into_iter()
            .chain(&self.client_ca)
            .cloned()
            .collect();
        let contents = read_all(&files)?;
        let (port, name) = (self.port, self.port.source());
        let loaded = self.load(&contents)?;
        loaded.report(port, metrics);
        let credentials = Arc::new(Credentials {
            port,
            current: Current::new(loaded.config),
        });
        let (renewed, metrics) = (Arc::clone(&credentials), metrics.clone());
        let source = Source::new(name, files, &contents, move |contents| {
            let loaded = self.load(contents)?;
            // A chain may carry a certificate for old clients that others do not look at.
            let valid = loaded.own.check(SystemTime::now());
            valid.map_err(|problem| self.cert.error(problem))?;
            loaded.report(port, &metrics);
            renewed.current.set(loaded.config);
            Ok(())
        });
        Ok((credentials, source))
    }

    fn load(&self, contents: &Contents) -> Result<Loaded, ConfigError> {
        let [cert, key, client_ca @ ..] = &contents[..] else {
            unreachable!("a certificate and a key are always read");
        };
        let chain = certificates(&self.cert, cert)?;
        let valid = |chain| Validity::of(chain).map_err(|problem| self.cert.error(problem));
        let (validity, own) = (valid(&chain)?, valid(&chain[..chain.len().min(1)])?);
        let key = private_key(&self.key, key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|error| {
            self.key.error(match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    let cert = self.cert.path.display();
                    format!("is not the key of the certificate in {cert}")
                }
                Error::General(_) => format!("cannot be used; {USABLE_KEYS} are allowed"),
                error => format!("cannot be used: {error}"),
            })
        })?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("ring has the cipher suites of TLS 1.2 and 1.3");
        let mut expires = validity.until;
        let builder = match (&self.client_ca, client_ca) {
            (Some(file), [content]) => {
                let authorities = Authorities::read(file, content, self.client_auth, provider)?;
                let first = authorities.first_expiry(SystemTime::now());
                expires = expires.min(first.unwrap_or(expires));
                builder.with_client_cert_verifier(Arc::new(authorities))
            }
            _ => builder.with_no_client_auth(),
        };
        let certified = Arc::new(rustls::sign::SingleCertAndKey::from(certified));
        let mut config = builder.with_cert_resolver(certified);
        config.alpn_protocols = vec![self.port.alpn().to_vec()];
        if self.client_ca.is_some() {
            // A resumed session would let a client in whose certificate has expired since.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Loaded {
            config,
            validity,
            own,
            expires,
        })
    }
}

impl Loaded {
    fn report(&self, port: Port, metrics: &Metrics) {
        metrics.certificate_expires(port.name(), self.expires);
        let port = port.name();
        match self.validity.check(SystemTime::now()) {
            Ok(()) => {
                let expires = humantime::format_rfc3339_seconds(time(self.validity.until));
                tracing::info!(port, %expires, "certificate read");
            }
            Err(problem) => tracing::warn!(port, "the certificate {problem}"),
        }
    }
}

impl Credentials {
    /// The port that they protect.
    pub(crate) fn port(&self) -> Port {
        self.port
    }

    /// For the next handshake.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.current.get()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Credentials").field(&self.port).finish()
    }
}
