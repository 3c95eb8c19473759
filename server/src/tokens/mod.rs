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

pub(crate) use caller::{Admitted, Caller};
pub use create::NewToken;
pub use file::Scope;

use self::digest::Digest;
use self::file::Table;
use crate::config::ConfigError;
use crate::error::{ServeError, Unauthenticated};
use crate::metrics::Metrics;
use crate::reload::{Current, OptionFile, Source, read_all};
use crate::tls::Identity;

/// What a call needs of its caller, if callers are configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: anyone may call.
    Open,
    /// To be known.
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

    /// The caller of a request with this `authorization` header, or on a connection of this
    /// identity. A token wins over a certificate.
    ///
    /// # Errors
    /// [`ServeError::Unauthenticated`].
    pub(crate) fn authenticate(
        &self,
        authorization: Option<&[u8]>,
        identity: Option<&Identity>,
    ) -> Result<Arc<Caller>, ServeError> {
        let table = self.0.get();
        let caller = if let Some(value) = authorization {
            let token = bearer(value).ok_or(Unauthenticated::NoBearer)?;
            let caller = table.by_token(&Digest::of(token));
            caller.ok_or(Unauthenticated::UnknownToken)?
        } else {
            let caller = identity.and_then(|identity| table.by_identity(identity));
            caller.ok_or(Unauthenticated::NoToken)?
        };
        if caller.has_expired(SystemTime::now()) {
            return Err(Unauthenticated::Expired.into());
        }
        Ok(Arc::clone(caller))
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
