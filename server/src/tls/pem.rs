//! Certificates and keys from PEM files, and what is wrong with those that hold none.

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::ConfigError;
use crate::reload::OptionFile;

/// The certificates of a PEM file, of which there must be one.
pub(super) fn certificates(
    file: &OptionFile,
    content: &[u8],
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let parsed: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(content).collect();
    let chain = parsed.map_err(|error| file.error(problem(&error)))?;
    if chain.is_empty() {
        return Err(file.error("holds no certificate; PEM with a CERTIFICATE is needed"));
    }
    Ok(chain)
}

/// The private key of a PEM file: PKCS #8, PKCS #1 or SEC 1.
pub(super) fn private_key(
    file: &OptionFile,
    content: &[u8],
) -> Result<PrivateKeyDer<'static>, ConfigError> {
    PrivateKeyDer::from_pem_slice(content).map_err(|error| {
        file.error(match error {
            _ if is_encrypted(content) => {
                "is encrypted; write it without a passphrase: openssl pkey -in FILE -out FILE"
            }
            pem::Error::NoItemsFound => "holds no private key; PEM with a PRIVATE KEY is needed",
            error => problem(&error),
        })
    })
}

/// Whether the header of a private key says that it is encrypted, in PKCS #8 or in OpenSSL's older
/// form.
fn is_encrypted(content: &[u8]) -> bool {
    let text = String::from_utf8_lossy(content);
    let mut lines = text.lines();
    let is_begin = |line: &str| line.starts_with("-----BEGIN ") && line.contains("PRIVATE KEY");
    while let Some(begin) = lines.find(|line| is_begin(line)) {
        let header = lines.clone().next().unwrap_or_default();
        let is_old = header.starts_with("Proc-Type:") && header.contains("ENCRYPTED");
        if is_old || begin.starts_with("-----BEGIN ENCRYPTED") {
            return true;
        }
    }
    false
}

/// The parser's own words are lists of bytes, which could be those of a key.
fn problem(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "is cut: a BEGIN line has no END line after it",
        pem::Error::IllegalSectionStart { .. } => {
            "is not PEM: there is a BEGIN line without ----- at its end"
        }
        pem::Error::Base64Decode(_) => {
            "is not PEM: between a BEGIN and an END line is something that is not base64"
        }
        _ => "is not PEM",
    }
}
