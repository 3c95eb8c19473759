//! Authorities and certificates made for a test.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType, date_time_ymd,
};
use tempfile::TempDir;

/// The URI of certificates of [`Authority::client`].
pub const CLIENT_NAME: &str = "spiffe://test/client";

/// Signs certificates.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate.
    pub cert: String,
    /// Its key.
    pub key: String,
}

/// PEM files in a temporary folder.
#[derive(Debug)]
pub struct PemFiles(TempDir);

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "test authority");
        let key = KeyPair::generate().expect("a key can be made");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate can be signed"))
    }

    /// Its own certificate in PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate of the server `localhost`, valid until the first day of the year.
    pub fn server(&self, year: i32) -> Issued {
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a DNS name");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_after = date_time_ymd(year, 1, 1);
        self.issue(&params)
    }

    /// A certificate of a client named [`CLIENT_NAME`].
    pub fn client(&self) -> Issued {
        let mut params = CertificateParams::default();
        let name = CLIENT_NAME.try_into().expect("ASCII");
        params.subject_alt_names = vec![SanType::URI(name)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(&params)
    }

    fn issue(&self, params: &CertificateParams) -> Issued {
        let key = KeyPair::generate().expect("a key can be made");
        let cert = params.signed_by(&key, &self.0);
        Issued {
            cert: cert.expect("a certificate can be signed").pem(),
            key: key.serialize_pem(),
        }
    }
}

impl PemFiles {
    /// `cert.pem` and `key.pem` of this certificate, and `ca.pem` of this authority.
    pub fn new(issued: &Issued, authority: &Authority) -> Self {
        let files = Self(tempfile::tempdir().expect("a temporary folder can be made"));
        files.write("ca.pem", &authority.pem());
        files.write_pair(issued);
        files
    }

    /// Replaces `cert.pem` and `key.pem`.
    pub fn write_pair(&self, issued: &Issued) {
        self.write("cert.pem", &issued.cert);
        self.write("key.pem", &issued.key);
    }

    /// Replaces a file.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a temporary file can be written");
    }

    /// Where a file is.
    pub fn path(&self, name: &str) -> PathBuf {
        Path::join(self.0.path(), name)
    }
}
