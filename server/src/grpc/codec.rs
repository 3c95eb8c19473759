//! tonic's codec with a decoder that counts the fields of a message before it decodes them.

use prost::Message;
use prost::bytes::Buf as _;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::ProstCodec;

use super::fields;
use super::status::status;

/// Protobuf messages, `E` out and `D` in. Refuses messages of too many fields, see [`fields::check`].
#[derive(Debug)]
pub(super) struct Bounded<E, D> {
    messages: ProstCodec<E, D>,
    inner: Option<u32>,
}

/// The decoder of [`Bounded`].
#[derive(Debug)]
pub(super) struct BoundedDecoder<I> {
    messages: I,
    inner: Option<u32>,
}

// === impl Bounded ===

impl<E, D> Bounded<E, D> {
    /// For messages whose lists are at the top level, or in the message of field `inner`.
    pub(super) fn new(inner: Option<u32>) -> Self {
        Self {
            messages: ProstCodec::new(),
            inner,
        }
    }
}

impl<E, D> Codec for Bounded<E, D>
where
    E: Message + Send + 'static,
    D: Message + Default + Send + 'static,
{
    type Encode = E;
    type Decode = D;
    type Encoder = <ProstCodec<E, D> as Codec>::Encoder;
    type Decoder = BoundedDecoder<<ProstCodec<E, D> as Codec>::Decoder>;

    fn encoder(&mut self) -> Self::Encoder {
        self.messages.encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder {
            messages: self.messages.decoder(),
            inner: self.inner,
        }
    }
}

// === impl BoundedDecoder ===

impl<I: Decoder<Error = Status>> Decoder for BoundedDecoder<I> {
    type Item = I::Item;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<I::Item>, Status> {
        // tonic gives a message in one chunk.
        fields::check(message.chunk(), self.inner).map_err(|error| status(&error))?;
        self.messages.decode(message)
    }
}
