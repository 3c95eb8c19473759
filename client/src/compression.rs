//! How messages are compressed.

use tonic::codec::CompressionEncoding;

/// A compression of messages, see
/// [`ClientBuilder::compression`](crate::ClientBuilder::compression).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// RFC 1952, which every gRPC library has.
    Gzip,
}

impl Compression {
    /// Requests from this size on are compressed: smaller ones fit into one packet anyway.
    pub(crate) const MIN_SIZE: usize = 1 << 10;

    pub(crate) fn encoding(self) -> CompressionEncoding {
        match self {
            Self::Gzip => CompressionEncoding::Gzip,
        }
    }
}
