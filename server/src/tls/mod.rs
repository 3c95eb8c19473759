//! TLS of both ports, by rustls with ring.
//!
//! ```text
//! files ─► credentials (read again when they change) ─► handshake ─► stream, identity
//! ```

mod authorities;
mod certificate;
mod credentials;
mod handshake;
mod pem;
#[cfg(test)]
mod tests;
mod turns;
mod unverified;

pub(crate) use certificate::Identity;
pub(crate) use credentials::{ClientAuth, Credentials, Files, Port};
pub(crate) use handshake::Handshakes;
pub(crate) use unverified::connect as connect_unverified;
