//! gRPC's transport: HTTP/2 connections, requests with their deadlines, and messages in frames.
//!
//! It is given a [`Handler`], a drain signal and a [`Peer`] for each connection. It knows no model,
//! no task and no metric. No other module names h2.

mod budget;
mod compression;
mod connection;
mod encoding;
mod exchange;
mod exchanges;
mod frames;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod header_block;
mod headers;
mod huffman;
mod inbox;
mod lifetime;
mod listener;
mod messages;
mod outgoing;
mod register;
mod socket;

use std::net::SocketAddr;
use std::sync::Arc;

use http::Request;

use crate::tls::Identity;

pub(crate) use budget::{Budget, Charge};
pub(crate) use compression::{Decompressing, compress, is_compressed, is_long, is_worth};
pub use encoding::ResponseCompression;
pub(crate) use encoding::{Encoding, Encodings, NotOffered};
pub(crate) use exchange::{Answering, Reply};
pub(crate) use headers::{MAX_METADATA, deadline, metadata_size};
pub(crate) use inbox::{Inbox, Messages};
pub(crate) use listener::{Endpoint, serve};
pub(crate) use messages::{Allowed, Incoming, PREFIX, Unreadable};
pub(crate) use outgoing::{BoxError, Outgoing};
pub(crate) use register::Bounds;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its address and port.
    pub(crate) address: SocketAddr,
    /// Of its verified certificate.
    pub(crate) identity: Option<Identity>,
}

/// What answers requests.
pub(crate) trait Handler {
    /// Takes a request of whose body nothing has been read.
    fn call(&self, request: Request<Incoming>, peer: &Arc<Peer>) -> Answering;

    /// So many connections are open now.
    fn connections(&self, _open: usize) {}

    /// There were too many connections: a new one was refused, or an idle one closed for it.
    fn turned_away(&self, _idle: bool) {}
}
