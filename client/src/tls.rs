//! TLS: whom a client trusts, and how it proves who it is.

use std::{fmt, io, sync::Arc};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::{error::Error, pem};

/// How connections over TLS are made; see [`ClientBuilder::tls`](crate::ClientBuilder::tls).
///
/// TLS 1.2 and 1.3. By default, an authority that this system trusts must have signed the server's
/// certificate, and the client has none of its own.
#[must_use]
#[derive(Clone, Default)]
pub struct Tls {
    ca_certificates: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
    pub(crate) server_name: Option<String>,
}

impl Tls {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The certificates of the authorities to trust instead of the system's, as PEM.
    pub fn ca_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_certificates = Some(pem.into());
        self
    }

    /// The client's certificate with its chain, and its private key, both as PEM: for servers that
    /// ask for one (mutual TLS).
    pub fn identity(
        mut self,
        certificate_pem: impl Into<Vec<u8>>,
        key_pem: impl Into<Vec<u8>>,
    ) -> Self {
        self.identity = Some((certificate_pem.into(), key_pem.into()));
        self
    }

    /// The name that the server's certificate must have. Default: the host of the address.
    pub fn server_name(mut self, server_name: impl Into<String>) -> Self {
        self.server_name = Some(server_name.into());
        self
    }

    /// These settings for rustls, with HTTP/2 as the protocol (ALPN `h2`): for callers with
    /// connections of their own.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for PEM that cannot be read, a key that does
    /// not fit its certificate, or a system without authorities.
    pub fn client_config(&self) -> Result<ClientConfig, Error> {
        let config = self.build();
        config.map_err(|reason| Error::config(format!("TLS: {reason}")))
    }

    fn build(&self) -> Result<ClientConfig, String> {
        let mut roots = RootCertStore::empty();
        if let Some(pem) = &self.ca_certificates {
            for certificate in certificates("CA certificates", pem)? {
                let added = roots.add(certificate);
                added.map_err(|error| format!("CA certificates: {error}"))?;
            }
        } else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        if roots.is_empty() {
            return Err("this system has no CA certificates; name those to trust".into());
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            Some((chain, key)) => {
                let chain = certificates("client certificate", chain)?;
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|error| format!("client key: {}", pem::key_problem(&error, key)))?;
                builder.with_client_auth_cert(chain, key).map_err(|error| {
                    let reason = match error {
                        rustls::Error::General(_) => pem::UNUSABLE_KEY.to_owned(),
                        error => error.to_string(),
                    };
                    format!("client certificate and key: {reason}")
                })?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("has_ca_certificates", &self.ca_certificates.is_some())
            .field("has_identity", &self.identity.is_some())
            .field("server_name", &self.server_name)
            .finish()
    }
}

fn certificates(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(format!("{what}: no certificate in PEM"))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("{what}: {}", pem::problem(&error))),
    }
}

/// Why a handshake failed, in words. With TLS 1.3, the server's refusal comes after it.
pub(crate) fn handshake_failure(error: io::Error) -> io::Error {
    let Some(tls) = error.get_ref().and_then(|it| it.downcast_ref()) else {
        return error;
    };
    io::Error::other(match tls {
        rustls::Error::InvalidMessage(_) => {
            "the server does not answer in TLS; http:// is for plain text".to_owned()
        }
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the server asks for a client certificate".to_owned()
        }
        // The verifier's own type is not rustls'.
        rustls::Error::InvalidCertificate(CertificateError::Other(other))
            if other.to_string().contains("CaUsedAsEndEntity") =>
        {
            "the server's certificate is an authority's own; the server needs one that the \
             authority has signed, with basicConstraints=CA:FALSE"
                .to_owned()
        }
        _ => format!("the TLS handshake failed: {tls}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pem_is_refused_by_its_name() {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (pem, key) = (signed.cert.pem(), signed.signing_key.serialize_pem());
        let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIC\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let encrypted_rsa = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
            DEK-Info: AES-256-CBC,00\n\nMIIC\n-----END RSA PRIVATE KEY-----\n";
        let unusable = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
        let trusting = Tls::new().ca_certificates(&*pem);
        assert!(trusting.client_config().is_ok());
        assert!(
            trusting
                .clone()
                .identity(&*pem, &*key)
                .client_config()
                .is_ok()
        );
        for (tls, reason) in [
            (Tls::new().ca_certificates("text"), "CA certificates: no"),
            (
                trusting.clone().identity("", &*key),
                "client certificate: no",
            ),
            (trusting.clone().identity(&*pem, &*pem), "client key: no"),
            (
                trusting.clone().identity(&*pem, encrypted),
                "client key: is encrypted",
            ),
            (
                trusting.clone().identity(&*pem, encrypted_rsa),
                "client key: is encrypted",
            ),
            (
                trusting.clone().identity(&*pem, &key[..key.len() / 2]),
                "client key: is cut",
            ),
            (
                trusting.clone().identity(&*pem, unusable),
                "RSA of 2048 to 4096 bits",
            ),
            (
                Tls::new().ca_certificates(&pem[..pem.len() / 2]),
                "CA certificates: is cut",
            ),
            (
                trusting.identity(&*pem, other),
                "client certificate and key",
            ),
        ] {
            let error = tls.client_config().unwrap_err();
            assert!(error.message().contains(reason), "{error}");
        }
    }

    #[test]
    fn keys_are_not_printed() {
        let tls = Tls::new().identity("PUBLIC", "SECRET");
        assert!(!format!("{tls:?}").contains("83, 69"), "{tls:?}");
        assert!(!format!("{tls:?}").contains("SECRET"), "{tls:?}");
    }
}
