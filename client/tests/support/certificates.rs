//! Certificates made for a test, as PEM.

use quintet_client::Tls;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

/// Signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("authority")
    }

    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be made");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate can be signed"))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A client that trusts it.
    pub(crate) fn trusted(&self) -> Tls {
        Tls::new().ca_certificates(self.pem())
    }

    /// A certificate of this name, and its key.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.signed_by(&key, &self.0);
        let certificate = certificate.expect("a certificate can be signed");
        (certificate.pem(), key.serialize_pem())
    }

    /// A server of this name.
    pub(crate) fn server(&self, name: &str) -> ServerTlsConfig {
        let (certificate, key) = self.issue(name);
        ServerTlsConfig::new().identity(Identity::from_pem(certificate, key))
    }

    /// A server whose certificate is the authority's own.
    pub(crate) fn itself(&self) -> ServerTlsConfig {
        let key = self.0.key().serialize_pem();
        ServerTlsConfig::new().identity(Identity::from_pem(self.pem(), key))
    }

    /// A server of this name that asks for a client's certificate.
    pub(crate) fn mutual_server(&self, name: &str) -> ServerTlsConfig {
        let authority = Certificate::from_pem(self.pem());
        self.server(name).client_ca_root(authority)
    }
}
