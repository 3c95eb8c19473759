//! What is read of X.509 certificates: whose they are, and when they are valid.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use humantime::format_rfc3339_seconds;
use rustls::pki_types::CertificateDer;
use x509_parser::certificate::BasicExtension;
use x509_parser::extensions::{GeneralName, KeyUsage};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::clip::clip;

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

/// The subject in words, such as `CN=local-authority`; without one, that.
pub(super) fn subject(certificate: &CertificateDer<'_>) -> String {
    let parsed = X509Certificate::from_der(certificate);
    let subject = parsed.map(|(_, it)| it.subject().to_string());
    let subject = subject.unwrap_or_default();
    match &*subject {
        "" => "(no subject)".to_owned(),
        subject => clip(subject).into_owned(),
    }
}

/// Whether it may sign others (RFC 5280, 4.2.1.3 and 4.2.1.9).
pub(super) fn names_an_authority(certificate: &CertificateDer<'_>) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return false;
    };
    let signs = |usage: Option<_>| {
        usage.is_none_or(|it: BasicExtension<&KeyUsage>| it.value.key_cert_sign())
    };
    certificate.is_ca() && certificate.key_usage().is_ok_and(signs)
}

/// When all certificates of a chain are valid, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    from: i64,
    pub(super) until: i64,
}

impl Validity {
    /// # Errors
    /// A certificate cannot be read, or there is none.
    pub(super) fn of(chain: &[CertificateDer<'_>]) -> Result<Self, String> {
        let one = |certificate: &CertificateDer<'_>| {
            let parsed = X509Certificate::from_der(certificate);
            let (_, certificate) = parsed.map_err(|error| error.to_string())?;
            let validity = certificate.validity();
            Ok(Self {
                from: validity.not_before.timestamp(),
                until: validity.not_after.timestamp(),
            })
        };
        let all = chain.iter().map(one).collect::<Result<Vec<_>, String>>()?;
        let both = |one: Self, other: Self| Self {
            from: one.from.max(other.from),
            until: one.until.min(other.until),
        };
        all.into_iter()
            .reduce(both)
            .ok_or_else(|| "is empty".into())
    }

    /// # Errors
    /// Why the chain is not valid now, and when it is.
    pub(super) fn check(self, now: SystemTime) -> Result<(), String> {
        let (from, until) = (time(self.from), time(self.until));
        let problem = if now > until {
            "has expired"
        } else if now < from {
            "is not valid yet"
        } else {
            return Ok(());
        };
        let [from, until] = [from, until].map(format_rfc3339_seconds);
        Err(format!("{problem}; it is valid from {from} until {until}"))
    }
}

/// Seconds since 1970.
pub(super) fn time(seconds: i64) -> SystemTime {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}
