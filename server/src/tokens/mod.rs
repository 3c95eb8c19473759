//! Callers and what they may do: bearer tokens, or identities of client certificates.
//!
//! ```text
//! file ─► table of callers (read again when it changes)
//! authorization ─ SHA-256 ─► caller ─► scope, model, rate
//! ```

mod bucket;
mod caller;
mod create;
mod digest;
mod file;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;

use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderMap, header};

pub(crate) use caller::{Admitted, Caller};
pub use create::NewToken;
pub use file::Scope;

use self::caller::Proof;
use self::digest::Digest;
use self::file::Table;
use crate::config::ConfigError;
use crate::error::{ServeError, Unauthenticated};
use crate::metrics::Metrics;
use crate::reload::{Current, OptionFile, Source, read_all};
use crate::tls::Identity;

/// What a call needs of its caller, if callers are configured.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: anyone may call.
    #[default]
    Open,
    /// To have a scope for gRPC calls: `infer` or `control`.
    Known,
    /// To have this scope.
    Scope(Scope),
}

/// The configured callers.
#[derive(Debug)]
pub(crate) struct Tokens(Current<Table>);

impl Tokens {
    /// Reads the file, and watches it from then on.
    ///
    /// # Errors
    /// The file cannot be read or used.
    pub(crate) fn open(
        file: OptionFile,
        metrics: &Metrics,
    ) -> Result<(Arc<Self>, Source), ConfigError> {
        let files = vec![file.clone()];
        let contents = read_all(&files)?;
        let table = Table::parse(&contents[0], &Table::default(), metrics);
        let table = table.map_err(|problem| file.error(problem))?;
        tracing::info!(callers = table.len(), "tokens read");
        let tokens = Arc::new(Self(Current::new(table)));
        let (renewed, metrics) = (Arc::clone(&tokens), metrics.clone());
        let source = Source::new("tokens", files, &contents, move |contents| {
            // Callers that stay keep their rows in flight and what is left of their rates.
            let table = Table::parse(&contents[0], &renewed.0.get(), &metrics);
            let table = table.map_err(|problem| file.error(problem))?;
            tracing::info!(callers = table.len(), "tokens read");
            renewed.0.set(table);
            Ok(())
        });
        Ok((tokens, source))
    }

    /// The caller of a request with these headers, on a connection of this identity. A token wins
    /// over a certificate.
    ///
    /// # Errors
    /// [`ServeError::Unauthenticated`].
    pub(crate) fn authenticate(
        &self,
        headers: &HeaderMap,
        identity: Option<&Identity>,
    ) -> Result<Arc<Caller>, ServeError> {
        let mut authorization = headers.get_all(header::AUTHORIZATION).iter();
        let proof = match (authorization.next(), authorization.next(), identity) {
            (Some(_), Some(_), _) => return Err(Unauthenticated::Twice.into()),
            (Some(value), None, _) => {
                let token = bearer(value.as_bytes()).ok_or(Unauthenticated::NoBearer)?;
                Proof::Token(Digest::of(token))
            }
            (None, _, Some(identity)) => Proof::Identity(Arc::clone(&identity.0)),
            (None, _, None) => return Err(Unauthenticated::NoToken.into()),
        };
        self.by_proof(&proof)?.ok_or_else(|| match proof {
            Proof::Token(_) => Unauthenticated::UnknownToken.into(),
            Proof::Identity(name) => Unauthenticated::UnknownCertificate(name).into(),
        })
    }

    /// A caller as the file describes it now. A stream may last longer than what its caller was
    /// allowed when it began.
    ///
    /// # Errors
    /// [`ServeError::Unauthenticated`]: it was removed, or has expired.
    pub(crate) fn again(&self, caller: &Caller) -> Result<Arc<Caller>, ServeError> {
        let removed = || Unauthenticated::Removed(Arc::clone(&caller.name)).into();
        self.by_proof(&caller.proof)?.ok_or_else(removed)
    }

    fn by_proof(&self, proof: &Proof) -> Result<Option<Arc<Caller>>, ServeError> {
        let table = self.0.get();
        let caller = table.by_proof(proof);
        if caller.is_some_and(|caller| caller.has_expired(SystemTime::now())) {
            return Err(Unauthenticated::Expired.into());
        }
        Ok(caller.cloned())
    }
}

/// The token of a header `Bearer TOKEN` (RFC 6750).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests;
