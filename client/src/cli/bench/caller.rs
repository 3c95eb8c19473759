//! The connection of a virtual caller.

use bytes::Bytes;

use super::{
    connection::{CallError, Connection},
    stream::Stream,
};

/// A way to send requests of one [`super::payload::Payload`]; clones share the connection.
#[derive(Clone, Debug)]
pub(super) enum Caller {
    /// A call a request.
    Unary(Box<Connection>),
    /// A message a request, on one long call.
    Stream(Stream),
}

impl Caller {
    /// Sends a request of the payload, and gives the message of its answer.
    pub(super) async fn call(&mut self, request: Bytes) -> Result<Bytes, CallError> {
        match self {
            Self::Unary(connection) => connection.call(request).await,
            Self::Stream(stream) => stream.call(request).await,
        }
    }
}
