//! What is wrong with PEM that holds no certificate or key, in words.

use rustls::pki_types::pem::Error;

/// Of a key that ring does not sign with.
pub(crate) const UNUSABLE_KEY: &str = "the key cannot be used; RSA of 2048 to 4096 bits, P-256, \
                                       P-384 and Ed25519 are allowed";

/// The parser's own words are lists of bytes, which could be those of a key.
pub(crate) fn problem(error: &Error) -> &'static str {
    match error {
        Error::MissingSectionEnd { .. } => "is cut: a BEGIN line has no END line after it",
        Error::IllegalSectionStart { .. } => {
            "is not PEM: there is a BEGIN line without ----- at its end"
        }
        Error::Base64Decode(_) => {
            "is not PEM: between a BEGIN and an END line is something that is not base64"
        }
        _ => "is not PEM",
    }
}

/// Of a private key.
pub(crate) fn key_problem(error: &Error, pem: &[u8]) -> &'static str {
    match error {
        _ if is_encrypted(pem) => {
            "is encrypted; write it without a passphrase: openssl pkey -in FILE -out FILE"
        }
        Error::NoItemsFound => "no private key in PEM",
        error => problem(error),
    }
}

/// Whether the header of a private key says that it is encrypted, in PKCS #8 or in OpenSSL's older
/// form.
fn is_encrypted(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
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
