//! What is read of X.509 certificates: whose they are, and when they expire.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The longest identity that is kept; SPIFFE allows 2048 bytes, and no log needs them all.
const MAX_IDENTITY: usize = 256;

/// Who the client at the other end is, by its verified certificate: the first URI of the subject
/// alternative names, else the first DNS name, else the subject's common name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity(pub(crate) Arc<str>);

impl Identity {
    /// `None`: the certificate has no such name.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.map_or(&[][..], |names| &names.value.general_names);
        let uri = names.iter().find_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
        let dns = || {
            names.iter().find_map(|name| match name {
                GeneralName::DNSName(name) => Some(*name),
                _ => None,
            })
        };
        let common_name = || {
            let mut names = certificate.subject().iter_common_name();
            names.next()?.as_str().ok()
        };
        // A name of another kind must not pass for a URI.
        let is_no_uri = |name: &&str| !name.contains([':', '/']);
        let other = || dns().or_else(common_name).filter(is_no_uri);
        let name = uri.or_else(other)?;
        // A name of other characters is one that a log reader could mistake for another.
        let is_plain = name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let is_fit = is_plain && (1..=MAX_IDENTITY).contains(&name.len());
        is_fit.then(|| Self(name.into()))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When the first certificate of a chain expires, in seconds since 1970.
///
/// # Errors
/// A certificate cannot be read.
pub(super) fn expiry(chain: &[CertificateDer<'_>]) -> Result<i64, String> {
    let expiries = chain.iter().map(|certificate| {
        let parsed = X509Certificate::from_der(certificate);
        let (_, certificate) = parsed.map_err(|error| error.to_string())?;
        Ok(certificate.validity().not_after.timestamp())
    });
    let expiries: Vec<i64> = expiries.collect::<Result<_, String>>()?;
    expiries.into_iter().min().ok_or_else(|| "is empty".into())
}
