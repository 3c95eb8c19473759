//! The authorities whose clients may connect.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};

use super::certificate::{Validity, names_an_authority, subject, time};
use super::credentials::ClientAuth;
use super::pem::certificates;
use crate::config::ConfigError;
use crate::reload::OptionFile;

/// Verifies clients by the authorities that are valid at the time; rustls takes an authority's word
/// after it has expired, too.
#[derive(Debug)]
pub(super) struct Authorities {
    /// None had expired when the file was read, so that handshakes seldom need another verifier.
    all: Vec<(CertificateDer<'static>, Validity)>,
    auth: ClientAuth,
    provider: Arc<CryptoProvider>,
    /// Of all.
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Authorities {
    /// Those of a PEM file.
    ///
    /// # Errors
    /// A certificate cannot be read or is no authority's, or none is valid now.
    pub(super) fn read(
        file: &OptionFile,
        content: &[u8],
        auth: ClientAuth,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, ConfigError> {
        let now = SystemTime::now();
        let (mut all, mut problem) = (Vec::new(), None);
        for certificate in certificates(file, content)? {
            let unusable = |error| file.error(format!("cannot be used: {error}"));
            let validity = Validity::of(std::slice::from_ref(&certificate)).map_err(unusable)?;
            let subject = subject(&certificate);
            if !names_an_authority(&certificate) {
                let problem = "is no authority's: its basic constraints or key usage do not allow \
                               it to sign certificates";
                return Err(file.error(format!("holds a certificate that {problem}: {subject}")));
            }
            if let Err(invalid) = validity.check(now) {
                tracing::warn!(
                    option = file.option,
                    subject,
                    "an authority of clients {invalid}"
                );
                problem = Some(format!("{subject} {invalid}"));
            }
            if time(validity.until) >= now {
                all.push((certificate, validity));
            }
        }
        if let Some(problem) = problem
            && all.iter().all(|(_, validity)| validity.check(now).is_err())
        {
            return Err(file.error(format!("holds no authority that is valid now: {problem}")));
        }
        let authorities = all.iter().map(|(certificate, _)| certificate);
        let verifier = verifier(authorities, auth, Arc::clone(&provider));
        let verifier = verifier.map_err(|error| file.error(format!("cannot be used: {error}")))?;
        Ok(Self {
            all,
            auth,
            provider,
            verifier,
        })
    }

    /// When the first of those that are valid at a time expires, in seconds since 1970.
    pub(super) fn first_expiry(&self, at: SystemTime) -> Option<i64> {
        let valid = self.all.iter().map(|(_, validity)| validity);
        let valid = valid.filter(|validity| validity.check(at).is_ok());
        valid.map(|validity| validity.until).min()
    }

    /// The verifier of those that are valid at a time; `None` if none is.
    fn valid_at(&self, at: SystemTime) -> Option<Arc<dyn ClientCertVerifier>> {
        let valid = |(_, validity): &&(_, Validity)| validity.check(at).is_ok();
        let count = self.all.iter().filter(valid).count();
        if count == self.all.len() {
            return Some(Arc::clone(&self.verifier));
        }
        let authorities = self.all.iter().filter(valid).map(|(it, _)| it);
        verifier(authorities, self.auth, Arc::clone(&self.provider)).ok()
    }
}

fn verifier<'a>(
    authorities: impl Iterator<Item = &'a CertificateDer<'static>>,
    auth: ClientAuth,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in authorities {
        let added = roots.add(certificate.clone());
        added.map_err(|error| error.to_string())?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match auth {
        ClientAuth::Required => builder,
        ClientAuth::Optional => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|error| error.to_string())
}

impl ClientCertVerifier for Authorities {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs());
        let Some(verifier) = self.valid_at(at) else {
            return Err(CertificateError::UnknownIssuer.into());
        };
        verifier.verify_client_cert(end_entity, intermediates, now)
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn offer_client_auth(&self) -> bool {
        self.verifier.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.verifier.client_auth_mandatory()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
