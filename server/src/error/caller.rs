//! Why a caller is refused, whatever it asks for.

use std::sync::Arc;

/// Why a caller is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// Neither a token nor a known certificate came.
    #[error("authorization: is missing; `Bearer TOKEN` is needed")]
    NoToken,
    /// No token came, and no caller has the certificate.
    #[error(
        "authorization: is missing, and no caller has the certificate of `{0}`; `Bearer TOKEN` is \
         needed"
    )]
    UnknownCertificate(Arc<str>),
    /// The header came more than once.
    #[error("authorization: came twice; one `Bearer TOKEN` is needed")]
    Twice,
    /// The header is of another kind.
    #[error("authorization: is of another kind; `Bearer TOKEN` is needed")]
    NoBearer,
    /// No caller has this token.
    #[error("authorization: the token is not known")]
    UnknownToken,
    /// The token or the permission of the certificate has expired.
    #[error("authorization: the caller's token has expired")]
    Expired,
    /// The caller was removed while its call went on.
    #[error("caller `{0}` was removed")]
    Removed(Arc<str>),
}

/// Why a known caller may not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PermissionDenied {
    /// The call needs a scope.
    #[error("caller `{caller}` lacks the scope `{scope}`, which this call needs")]
    Scope {
        /// Its name.
        caller: Arc<str>,
        /// The scope.
        scope: &'static str,
    },
    /// A page of the admin port is for clients with a certificate.
    #[error("a client certificate is needed")]
    NoCertificate,
    /// The model is not among those of the caller.
    #[error("caller `{caller}` may not use model `{model}`; it may use {allowed}")]
    Model {
        /// Its name.
        caller: Arc<str>,
        /// The model asked for.
        model: String,
        /// The models that it may use.
        allowed: String,
    },
}

/// A limit of one caller.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum CallerLimit {
    /// Rows a second.
    #[error("is over its rate of {rate} rows a second")]
    Rate {
        /// The rate.
        rate: f64,
    },
    /// Rows in flight.
    #[error("has {in_flight} of at most {most} rows in flight, {rows} more do not fit")]
    InFlight {
        /// Rows that wait or run.
        in_flight: usize,
        /// Rows of the request.
        rows: usize,
        /// Rows allowed.
        most: usize,
    },
}

impl Unauthenticated {
    /// As Google's APIs name it in ErrorInfo.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoToken | Self::NoBearer | Self::UnknownCertificate(_) => "CREDENTIALS_MISSING",
            Self::UnknownToken | Self::Twice | Self::Removed(_) => "ACCESS_TOKEN_INVALID",
            Self::Expired => "ACCESS_TOKEN_EXPIRED",
        }
    }
}

impl PermissionDenied {
    /// The name of the caller, if it has one.
    pub fn caller(&self) -> Option<&str> {
        match self {
            Self::Scope { caller, .. } | Self::Model { caller, .. } => Some(caller),
            Self::NoCertificate => None,
        }
    }

    /// As Google's APIs name it in ErrorInfo.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Scope { .. } => "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            Self::NoCertificate => "CLIENT_CERTIFICATE_MISSING",
            Self::Model { .. } => "MODEL_NOT_ALLOWED",
        }
    }
}

impl CallerLimit {
    /// As Google's APIs name it in ErrorInfo.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Rate { .. } => "RATE_LIMIT_EXCEEDED",
            Self::InFlight { .. } => "IN_FLIGHT_LIMIT_EXCEEDED",
        }
    }
}
