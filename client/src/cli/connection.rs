//! How the server is connected to, by the options that every command has.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use clap::ValueEnum;
use quintet_client::{Client, ClientBuilder, Compression, Tls};

use crate::{args::time, failure::Failure};

/// The variable with the token: on a command line, other users of the machine could read it.
const TOKEN: &str = "QUINTET_TOKEN";
/// The variable with the trace that a program was started in
/// (<https://opentelemetry.io/docs/specs/otel/context/env-carriers/>).
const TRACEPARENT: &str = "TRACEPARENT";

#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArgs {
    /// The server: http://host:port, https://host:port, unix:///path, dns:///host:port, or
    /// host:port for short.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "QUINTET_SERVER",
        hide_env_values = true,
        default_value = "http://127.0.0.1:50051"
    )]
    server: String,
    /// The most time for one call, retries included: 500ms, 10s or 2m.
    #[arg(long, global = true, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(crate) timeout: Duration,
    /// Use TLS for host:port and dns:///host:port too; so does each option of TLS.
    #[arg(long, global = true)]
    tls: bool,
    /// The certificates of the authorities to trust, as PEM [default: the system's].
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "QUINTET_CLIENT_TLS_CA",
        hide_env_values = true
    )]
    tls_ca: Option<PathBuf>,
    /// The client's own certificate with its chain, as PEM, for a server that asks for one.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "QUINTET_CLIENT_TLS_CERT",
        hide_env_values = true
    )]
    tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert, as PEM.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "QUINTET_CLIENT_TLS_KEY",
        hide_env_values = true
    )]
    tls_key: Option<PathBuf>,
    /// The name that the server's certificate must have [default: the host of --server].
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "QUINTET_CLIENT_TLS_SERVER_NAME",
        hide_env_values = true
    )]
    pub(crate) tls_server_name: Option<String>,
    /// A file with the token to send with each call [default: what QUINTET_TOKEN holds].
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "QUINTET_TOKEN_FILE",
        hide_env_values = true
    )]
    token_file: Option<PathBuf>,
    /// Let the token go over the network in plain text, where others may read it.
    #[arg(long, global = true)]
    token_in_plain_text: bool,
    /// Compress requests of 1 KiB and more, and ask for compressed answers.
    #[arg(long, global = true, value_enum, value_name = "KIND")]
    pub(crate) compression: Option<Kind>,
    /// Metadata to send with each call, such as x-request-id=17; may be repeated. What TRACEPARENT
    /// holds is sent as traceparent.
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    metadata: Vec<String>,
}

// No doc comments on the variants: clap would print them, and each help in its long form for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Gzip,
}

impl ConnectionArgs {
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let client = self.builder()?.connect_lazy();
        client.map_err(Failure::of_call(&self.server))
    }

    fn builder(&self) -> Result<ClientBuilder, Failure> {
        let mut builder = Client::builder(&self.server).timeout(self.timeout);
        if let Some(tls) = self.tls()? {
            builder = builder.tls(tls);
        }
        if let Some(token) = self.token()? {
            builder = builder.token(token);
        }
        if self.token_in_plain_text {
            builder = builder.token_in_plain_text();
        }
        if let Some(Kind::Gzip) = self.compression {
            builder = builder.compression(Compression::Gzip);
        }
        let metadata = self.metadata.iter().map(|text| entry(text));
        let metadata = metadata.collect::<Result<Vec<_>, _>>()?;
        let is_set = metadata.iter().any(|(key, _)| *key == "traceparent");
        if let Some(parent) = std::env::var(TRACEPARENT).ok().filter(|_| !is_set) {
            builder = builder.metadata("traceparent", parent);
        }
        for (key, value) in metadata {
            builder = builder.metadata(key, value);
        }
        Ok(builder)
    }

    fn token(&self) -> Result<Option<String>, Failure> {
        let Some(path) = &self.token_file else {
            let token = std::env::var(TOKEN).ok().filter(|it| !it.is_empty());
            return Ok(token);
        };
        let token = String::from_utf8(read(path)?);
        let token = token.map_err(|_| Failure::new(format!("{}: no text", path.display())))?;
        Ok(Some(token.trim().to_owned()))
    }

    /// The settings of TLS, if there are any.
    pub(crate) fn tls(&self) -> Result<Option<Tls>, Failure> {
        let mut tls = self.tls.then(Tls::new);
        if let Some(path) = &self.tls_ca {
            tls = Some(tls.unwrap_or_default().ca_certificates(read(path)?));
        }
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                let (certificate, key) = (read(certificate)?, read(key)?);
                tls = Some(tls.unwrap_or_default().identity(certificate, key));
            }
            (None, None) => {}
            _ => return Err(Failure::usage("--tls-cert and --tls-key go together")),
        }
        if let Some(name) = &self.tls_server_name {
            tls = Some(tls.unwrap_or_default().server_name(name));
        }
        Ok(tls)
    }
}

/// An entry of metadata. What came is not repeated, because it may be a secret.
fn entry(text: &str) -> Result<(&str, &str), Failure> {
    let entry = text.split_once('=');
    entry.ok_or_else(|| Failure::usage("--metadata has no `=`; write KEY=VALUE"))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))
}
