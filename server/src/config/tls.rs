//! Certificates of both ports.

use std::path::PathBuf;

use super::ConfigError;
use crate::reload::OptionFile;
use crate::tls::{ClientAuth, Files, Port};
use crate::value_parser::Problem;

/// Certificates, keys and the authorities of clients, as PEM files that are read again when they
/// change.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TlsOptions {
    /// The certificate chain of the gRPC port in PEM, the server's own first; without one, it
    /// serves plain text. Changed files are read again, and all at SIGHUP.
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key in PEM, without a passphrase.
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// The authorities in PEM that sign the certificates of gRPC clients (mutual TLS).
    #[arg(long, value_name = "FILE")]
    pub tls_client_ca: Option<PathBuf>,
    /// Whether gRPC clients need a certificate: required or optional [default: required with
    /// --tls-client-ca].
    #[arg(long, value_name = "WHEN", value_parser = client_auth)]
    pub(crate) tls_client_auth: Option<ClientAuth>,
    /// The certificate chain of the admin port in PEM; without one, it serves plain text.
    #[arg(long, value_name = "FILE")]
    pub admin_tls_cert: Option<PathBuf>,
    /// The admin certificate's private key in PEM.
    #[arg(long, value_name = "FILE")]
    pub admin_tls_key: Option<PathBuf>,
    /// The authorities in PEM whose clients may read /metrics; /healthz and /readyz stay open to
    /// all.
    #[arg(long, value_name = "FILE")]
    pub admin_tls_client_ca: Option<PathBuf>,
}

/// An option's name in the file, and its value.
type Named<'a> = (&'static str, &'a Option<PathBuf>);

impl TlsOptions {
    /// The files of the gRPC port; `None`: it serves plain text.
    ///
    /// # Errors
    /// An option needs another one.
    pub(crate) fn grpc(&self) -> Result<Option<Files>, ConfigError> {
        let files = files(
            ("tls_cert", &self.tls_cert),
            ("tls_key", &self.tls_key),
            ("tls_client_ca", &self.tls_client_ca),
        )?;
        let Some(client_auth) = self.tls_client_auth else {
            return Ok(files);
        };
        match files {
            Some(files) if files.client_ca.is_some() => Ok(Some(Files {
                client_auth,
                ..files
            })),
            _ => Err(needs("tls_client_auth", "tls_client_ca")),
        }
    }

    /// The files of the admin port; `None`: it serves plain text.
    ///
    /// # Errors
    /// An option needs another one.
    pub(crate) fn admin(&self) -> Result<Option<Files>, ConfigError> {
        let files = files(
            ("admin_tls_cert", &self.admin_tls_cert),
            ("admin_tls_key", &self.admin_tls_key),
            ("admin_tls_client_ca", &self.admin_tls_client_ca),
        )?;
        // A kubelet has no certificate to show when it asks for health.
        Ok(files.map(|files| Files {
            port: Port::Admin,
            client_auth: ClientAuth::Optional,
            ..files
        }))
    }

    /// Checks that no option lacks another one.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.grpc()?;
        self.admin()?;
        Ok(())
    }
}

fn files(
    cert: Named<'_>,
    key: Named<'_>,
    client_ca: Named<'_>,
) -> Result<Option<Files>, ConfigError> {
    let client_ca_file = client_ca.1.as_ref();
    match (cert.1, key.1) {
        (Some(cert_file), Some(key_file)) => Ok(Some(Files {
            port: Port::Grpc,
            cert: OptionFile::new(cert.0, cert_file),
            key: OptionFile::new(key.0, key_file),
            client_ca: client_ca_file.map(|file| OptionFile::new(client_ca.0, file)),
            client_auth: ClientAuth::Required,
        })),
        (Some(_), None) => Err(needs(cert.0, key.0)),
        (None, Some(_)) => Err(needs(key.0, cert.0)),
        (None, None) if client_ca_file.is_some() => Err(needs(client_ca.0, cert.0)),
        (None, None) => Ok(None),
    }
}

fn needs(option: &str, other: &str) -> ConfigError {
    ConfigError::new(option, format!("is set without {other}, which it needs"))
}

fn client_auth(text: &str) -> Result<ClientAuth, Problem> {
    match text {
        "required" => Ok(ClientAuth::Required),
        "optional" => Ok(ClientAuth::Optional),
        _ => Err(Problem(format!("`{text}` is none of required, optional"))),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn options(arguments: &[&str]) -> TlsOptions {
        #[derive(clap::Parser)]
        struct Program {
            #[command(flatten)]
            tls: TlsOptions,
        }
        let arguments = [""].iter().chain(arguments);
        Program::try_parse_from(arguments).unwrap().tls
    }

    #[test]
    fn options_that_need_another_one() {
        for (arguments, problem) in [
            (&["--tls-cert=c"][..], "tls_cert: is set without tls_key"),
            (&["--tls-key=k"], "tls_key: is set without tls_cert"),
            (
                &["--tls-client-ca=a"],
                "tls_client_ca: is set without tls_cert",
            ),
            (
                &["--tls-cert=c", "--tls-key=k", "--tls-client-auth=optional"],
                "tls_client_auth: is set without tls_client_ca",
            ),
            (
                &["--tls-client-auth=required"],
                "tls_client_auth: is set without tls_client_ca",
            ),
            (
                &["--admin-tls-key=k"],
                "admin_tls_key: is set without admin_tls_cert",
            ),
        ] {
            let error = options(arguments).check().unwrap_err().to_string();
            assert!(error.starts_with(problem), "{error}");
        }
        options(&[]).check().unwrap();
        assert!(options(&[]).grpc().unwrap().is_none());
    }

    #[test]
    fn clients_need_a_certificate_unless_it_is_optional() {
        let all = ["--tls-cert=c", "--tls-key=k", "--tls-client-ca=a"];
        let files = options(&all).grpc().unwrap().unwrap();
        assert_eq!(files.client_auth, ClientAuth::Required);
        let optional = [&all[..], &["--tls-client-auth=optional"]].concat();
        let files = options(&optional).grpc().unwrap().unwrap();
        assert_eq!(files.client_auth, ClientAuth::Optional);
        assert!(options(&all).admin().unwrap().is_none());
    }
}
