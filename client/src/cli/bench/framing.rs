//! Messages as they travel: one byte says whether the message is compressed, four give its length,
//! big-endian.

use std::io::{Read as _, Write as _};

use bytes::{BufMut as _, Bytes, BytesMut};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use prost::Message;
use quintet_proto::v1::StreamError;

use super::connection::CallError;

/// The prefix's length.
const PREFIX: usize = 5;
/// The longest reply taken off a stream.
const LONGEST: usize = 64 << 20;

/// Finds the messages in a stream's pieces.
#[derive(Debug, Default)]
pub(super) struct Messages {
    rest: Bytes,
}

/// A `ClassifyStreamRequest`, its request encoded beforehand.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StreamRequest {
    #[prost(uint64, tag = "1")]
    pub(super) index: u64,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(super) request: Option<Bytes>,
}

/// A `ClassifyStreamResponse`, its response not decoded.
#[derive(Clone, PartialEq, Message)]
struct StreamReply {
    #[prost(uint64, tag = "1")]
    index: u64,
    #[prost(bytes = "bytes", optional, tag = "2")]
    response: Option<Bytes>,
    #[prost(message, optional, tag = "3")]
    error: Option<StreamError>,
}

/// A whole body of one message.
pub(super) fn frame(message: &impl Message) -> Bytes {
    let mut framed = BytesMut::new();
    put(&mut framed, message);
    framed.freeze()
}

/// Writes a message after its prefix.
pub(super) fn put(out: &mut BytesMut, message: &impl Message) {
    let length = message.encoded_len();
    out.reserve(PREFIX + length);
    out.put_u8(0);
    out.put_u32(length as u32);
    message.encode(out).expect("the buffer grows as needed");
}

/// The same body of one message, compressed.
pub(super) fn gzip(body: &[u8]) -> Bytes {
    let mut compressed = BytesMut::new();
    compressed.put_u8(1);
    compressed.put_u32(0);
    let mut encoder = GzEncoder::new(compressed.writer(), Compression::default());
    let written = encoder.write_all(&body[PREFIX..]);
    let finished = written.and_then(|()| encoder.finish());
    let mut compressed = finished.expect("the buffer grows as needed").into_inner();
    let length = (compressed.len() - PREFIX) as u32;
    compressed[1..PREFIX].copy_from_slice(&length.to_be_bytes());
    compressed.freeze()
}

fn gunzip(message: &[u8]) -> Result<Bytes, CallError> {
    let mut whole = Vec::new();
    let mut decoder = GzDecoder::new(message).take(LONGEST as u64 + 1);
    match decoder.read_to_end(&mut whole) {
        Ok(size) if size <= LONGEST => Ok(whole.into()),
        Ok(_) => Err(CallError::Malformed("a reply that is too long")),
        Err(_) => Err(CallError::Malformed("a compressed reply that is no gzip")),
    }
}

/// The index of a stream's reply, and its response or error; `None` for a message that is no reply.
pub(super) fn stream_reply(message: Bytes) -> Option<(u64, Result<Bytes, StreamError>)> {
    let reply = StreamReply::decode(message).ok()?;
    let result = match reply.error {
        Some(error) => Err(error),
        None => Ok(reply.response?),
    };
    Some((reply.index, result))
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
        let length = u32::from_be_bytes(*length) as usize;
        if length > LONGEST {
            return Err(CallError::Malformed("a reply that is too long"));
        }
        if length > rest.len() {
            return Ok(None);
        }
        let mut message = self.rest.split_to(PREFIX + length);
        let message = message.split_off(PREFIX);
        match compressed {
            0 => Ok(Some(message)),
            _ => gunzip(&message).map(Some),
        }
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
        assert_eq!(unframe(gzip(&framed)).unwrap(), "\x0a\x017");
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

    fn reply(index: u64, result: Outcome) -> Option<(u64, Result<Bytes, StreamError>)> {
        let result = Some(result);
        let message = ClassifyStreamResponse { index, result };
        stream_reply(message.encode_to_vec().into())
    }

    #[test]
    fn a_streams_replies_are_told_apart() {
        let response = ClassifyResponse {
            model: "mlp".into(),
            ..Default::default()
        };
        let answer = reply(300, Outcome::Response(response.clone()));
        assert_eq!(answer, Some((300, Ok(response.encode_to_vec().into()))));
        let error = StreamError {
            code: 8,
            ..Default::default()
        };
        let refusal = reply(0, Outcome::Error(error.clone()));
        assert_eq!(refusal, Some((0, Err(error))));
        // A field of a later API is passed over; what has no result, or breaks off, is no reply.
        let later = stream_reply(Bytes::from_static(b"\x12\0\x28\x05"));
        assert_eq!(later, Some((0, Ok(Bytes::new()))));
        for message in [&b""[..], b"\x08\x01", b"\x12\x05a", b"\x08", b"\xff"] {
            assert!(stream_reply(Bytes::from_static(message)).is_none());
        }
    }

    proptest! {
        #[test]
        fn requests_are_found_again_however_the_stream_is_cut(
            indices in proptest::collection::vec(proptest::num::u64::ANY, 0..8),
            cut in 1_usize..40,
        ) {
            let request = ClassifyRequest { model: "m".repeat(cut * 7), ..Default::default() };
            let part = Some(Bytes::from(request.encode_to_vec()));
            let mut out = BytesMut::new();
            for &index in &indices {
                put(&mut out, &StreamRequest { index, request: part.clone() });
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
