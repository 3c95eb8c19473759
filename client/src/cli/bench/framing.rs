//! Messages as they travel: one byte says whether the message is compressed, four give its length,
//! big-endian.

use bytes::{Bytes, BytesMut};
use prost::{
    Message as _,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_varint, skip_field},
};
use quintet_proto::v1::StreamError;

use super::connection::CallError;

/// The prefix's length.
const PREFIX: usize = 5;
/// The longest reply taken off a stream.
const LONGEST: usize = 64 << 20;
/// `ClassifyStreamRequest.index`, a number; `ClassifyStreamRequest.request`, a message.
const INDEX: u8 = 1 << 3;
const REQUEST: u8 = 2 << 3 | 2;

/// Finds the messages in a stream's pieces.
#[derive(Debug, Default)]
pub(super) struct Messages {
    rest: Bytes,
}

/// A `ClassifyStreamResponse`, its response not decoded.
#[derive(Debug)]
pub(super) struct StreamReply {
    pub(super) index: u64,
    pub(super) result: Result<Bytes, StreamError>,
}

/// A whole body of one message.
pub(super) fn frame(message: &impl prost::Message) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX + message.encoded_len());
    put_prefix(&mut framed, message.encoded_len());
    message
        .encode(&mut framed)
        .expect("the buffer grows as needed");
    framed.freeze()
}

/// The part of a `ClassifyStreamRequest` that is the same under every index.
pub(super) fn stream_request(message: &impl prost::Message) -> Bytes {
    let mut part = BytesMut::with_capacity(message.encoded_len() + 1 + PREFIX);
    part.extend_from_slice(&[REQUEST]);
    message
        .encode_length_delimited(&mut part)
        .expect("the buffer grows as needed");
    part.freeze()
}

/// Writes such a request with its index.
pub(super) fn put_stream_request(out: &mut BytesMut, index: u64, request: &[u8]) {
    let index_length = prost::encoding::encoded_len_varint(index);
    put_prefix(out, 1 + index_length + request.len());
    out.extend_from_slice(&[INDEX]);
    encode_varint(index, out);
    out.extend_from_slice(request);
}

fn put_prefix(out: &mut BytesMut, length: usize) {
    out.extend_from_slice(&[0]);
    out.extend_from_slice(&(length as u32).to_be_bytes());
}

impl Messages {
    pub(super) fn push(&mut self, piece: Bytes) {
        if self.rest.is_empty() {
            self.rest = piece;
        } else {
            let mut whole = BytesMut::from(std::mem::take(&mut self.rest));
            whole.extend_from_slice(&piece);
            self.rest = whole.freeze();
        }
    }

    /// The message of a whole body, which must hold exactly one.
    pub(super) fn only(mut self) -> Result<Bytes, CallError> {
        match (self.next()?, self.rest.is_empty()) {
            (Some(message), true) => Ok(message),
            (None, true) => Err(CallError::Malformed("a reply without a message")),
            _ => Err(CallError::Malformed("a reply whose length is wrong")),
        }
    }

    /// The next message that is whole.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, CallError> {
        let Some((&[compressed, ref length @ ..], rest)) = self.rest.split_first_chunk::<PREFIX>()
        else {
            return Ok(None);
        };
        if compressed != 0 {
            return Err(CallError::Malformed("a compressed reply, unasked"));
        }
        let length = u32::from_be_bytes(*length) as usize;
        if length > LONGEST {
            return Err(CallError::Malformed("a reply that is too long"));
        }
        if length > rest.len() {
            return Ok(None);
        }
        let mut message = self.rest.split_to(PREFIX + length);
        Ok(Some(message.split_off(PREFIX)))
    }
}

impl StreamReply {
    /// `None` for what is none.
    pub(super) fn read(mut message: Bytes) -> Option<Self> {
        let mut index = 0;
        let mut result = None;
        while !message.is_empty() {
            let (tag, wire_type) = decode_key(&mut message).ok()?;
            match (tag, wire_type) {
                (1, WireType::Varint) => index = decode_varint(&mut message).ok()?,
                (2 | 3, WireType::LengthDelimited) => {
                    let length = usize::try_from(decode_varint(&mut message).ok()?).ok()?;
                    if length > message.len() {
                        return None;
                    }
                    let inner = message.split_to(length);
                    result = Some(match tag {
                        2 => Ok(inner),
                        _ => Err(StreamError::decode(inner).ok()?),
                    });
                }
                _ => {
                    skip_field(wire_type, tag, &mut message, DecodeContext::default()).ok()?;
                }
            }
        }
        let result = result?;
        Some(Self { index, result })
    }
}

/// The message of a framed body.
#[cfg(test)]
pub(super) fn unframe(rest: Bytes) -> Result<Bytes, CallError> {
    Messages { rest }.only()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quintet_proto::v1::{
        ClassifyRequest, ClassifyResponse, ClassifyStreamRequest, ClassifyStreamResponse, Label,
        ListModelsResponse, classify_stream_response::Result as Outcome,
    };

    use super::*;

    #[test]
    fn a_frame_is_read_back() {
        let message = Label {
            name: "7".into(),
            ..Default::default()
        };
        let framed = frame(&message);
        assert_eq!(&framed[..], b"\0\0\0\0\x03\x0a\x017");
        assert_eq!(unframe(framed).unwrap(), "\x0a\x017");
        let empty = unframe(frame(&ListModelsResponse::default()));
        assert!(empty.unwrap().is_empty());
    }

    #[test]
    fn bodies_that_are_no_single_message_are_refused() {
        for body in [
            "",
            "\0\0\0\0",
            "\x01\0\0\0\x01a",
            "\0\0\0\0\x02a",
            "\0\0\0\0\x01ab",
            "\0\u{7f}\0\0\0",
        ] {
            let error = unframe(Bytes::from(body)).unwrap_err();
            assert!(matches!(error, CallError::Malformed(_)), "{body:?}");
        }
    }

    fn reply(index: u64, result: Outcome) -> Option<StreamReply> {
        let result = Some(result);
        let message = ClassifyStreamResponse { index, result };
        StreamReply::read(message.encode_to_vec().into())
    }

    #[test]
    fn a_streams_replies_are_told_apart() {
        let response = ClassifyResponse {
            model: "mlp".into(),
            ..Default::default()
        };
        let answer = reply(300, Outcome::Response(response.clone())).unwrap();
        assert_eq!(answer.index, 300);
        assert_eq!(answer.result.unwrap(), response.encode_to_vec());
        let error = StreamError {
            code: 8,
            ..Default::default()
        };
        let refusal = reply(0, Outcome::Error(error.clone())).unwrap();
        assert_eq!((refusal.index, refusal.result), (0, Err(error)));
        // A field of a later API is passed over; what has no result, or breaks off, is no reply.
        let later = StreamReply::read(Bytes::from_static(b"\x12\0\x28\x05"));
        assert!(later.is_some_and(|it| it.result == Ok(Bytes::new())));
        for message in [&b""[..], b"\x08\x01", b"\x12\x05a", b"\x08", b"\xff"] {
            assert!(StreamReply::read(Bytes::from_static(message)).is_none());
        }
    }

    proptest! {
        #[test]
        fn requests_are_found_again_however_the_stream_is_cut(
            indices in proptest::collection::vec(proptest::num::u64::ANY, 0..8),
            cut in 1_usize..40,
        ) {
            let request = ClassifyRequest { model: "m".repeat(cut * 7), ..Default::default() };
            let part = stream_request(&request);
            let mut out = BytesMut::new();
            for &index in &indices {
                put_stream_request(&mut out, index, &part);
            }
            let mut messages = Messages::default();
            let mut found = Vec::new();
            for piece in out.chunks(cut) {
                messages.push(Bytes::copy_from_slice(piece));
                while let Some(message) = messages.next().unwrap() {
                    found.push(ClassifyStreamRequest::decode(message).unwrap());
                }
            }
            prop_assert!(messages.rest.is_empty());
            let expected = indices.into_iter().map(|index| ClassifyStreamRequest {
                index,
                request: Some(request.clone()),
            });
            prop_assert!(found.into_iter().eq(expected));
        }
    }
}
