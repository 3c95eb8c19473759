//! The security of a server: certificates of its ports, and its callers.

use std::sync::Arc;

use crate::app::StartError;
use crate::config::{Config, cores};
use crate::metrics::Metrics;
use crate::reload::Source;
use crate::tls::{Files, Handshakes};
use crate::tokens::Tokens;

/// What protects a server. By default, nothing does.
#[derive(Debug, Default)]
pub(crate) struct Security {
    /// Of the gRPC port; `None`: it serves plain text.
    pub(crate) grpc: Option<Handshakes>,
    /// Of the admin port; `None`: it serves plain text.
    pub(crate) admin: Option<Handshakes>,
    /// Whether `/metrics` needs a client certificate or a token.
    pub(crate) metrics_need_certificate: bool,
    /// `None`: anyone may call.
    pub(crate) tokens: Option<Arc<Tokens>>,
    /// The files of all of them.
    pub(crate) sources: Vec<Source>,
}

impl Security {
    /// Reads the files that the options name.
    ///
    /// # Errors
    /// [`StartError::File`]: a file cannot be read or used.
    pub(crate) fn open(config: &Config, metrics: &Metrics) -> Result<Self, StartError> {
        let (grpc, admin) = (config.tls.grpc()?, config.tls.admin()?);
        let mut security = Self::default();
        if grpc.is_some() || admin.is_some() {
            let client_ca = admin.as_ref().and_then(|files| files.client_ca.as_ref());
            security.metrics_need_certificate = client_ca.is_some();
            let mut open = |files: Files| -> Result<_, StartError> {
                let (credentials, source) = files.open(metrics)?;
                security.sources.push(source);
                Handshakes::start(credentials, cores(), metrics.clone())
                    .map_err(StartError::IoThreads)
            };
            security.grpc = grpc.map(&mut open).transpose()?;
            security.admin = admin.map(&mut open).transpose()?;
        }
        if let Some(file) = config.security.tokens() {
            if security.grpc.is_none() && !config.network.listen.ip().is_loopback() {
                tracing::warn!("tokens travel in plain text: set tls_cert and tls_key");
            }
            let (tokens, source) = Tokens::open(file, metrics)?;
            security.tokens = Some(tokens);
            security.sources.push(source);
        }
        Ok(security)
    }
}
