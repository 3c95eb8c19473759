//! Messages in the frames of HTTP/2 (gRPC over HTTP/2, "Length-Prefixed-Message").
//!
//! tonic carries every call as a pair of streams behind a router, with buffers of their own. For a
//! small request that costs as much as everything else. Here the message of a unary call is decoded
//! from the frame it came in without a copy.

use std::pin::pin;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures_util::stream::{BoxStream, StreamExt as _, try_unfold};
use h2::RecvStream;
use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message;
use tonic::Status;
use tonic::body::Body;

use super::fields;
use crate::call::Call;
use crate::error::ServeError;
use crate::flow::within;

/// The compression flag and the length, before each message.
const PREFIX: usize = 5;

/// The one message of a body, if it comes whole before the deadline.
pub(super) async fn only<M: Message + Default>(
    body: RecvStream,
    call: &Call,
) -> Result<M, ServeError> {
    let max_message_size = call.context().max_message_size;
    within(call.deadline(), pin!(read(body, max_message_size))).await
}

/// The messages of a body, whose lists are in field `request_field` or at the top level.
pub(super) fn all<M: Message + Default>(
    body: RecvStream,
    max_message_size: usize,
    request_field: Option<u32>,
) -> BoxStream<'static, Result<M, ServeError>> {
    let start = (body, BytesMut::new());
    let messages = try_unfold(start, move |(mut body, mut buffer)| async move {
        loop {
            if let Some(length) = length(&buffer, max_message_size)?
                && buffer.len() >= length
            {
                let message = decode(buffer.split_to(length).freeze(), request_field)?;
                return Ok(Some((message, (body, buffer))));
            }
            match data(&mut body).await? {
                Some(part) => buffer.extend_from_slice(&part),
                None if buffer.is_empty() => return Ok(None),
                None => return Err(ends_early(buffer.len())),
            }
        }
    });
    messages.boxed()
}

/// A body as tonic takes it. Trailers of a request have no meaning.
pub(super) fn for_tonic(body: RecvStream) -> Body {
    let frames = try_unfold(body, async |mut body| match data(&mut body).await {
        Ok(data) => Ok(data.map(|data| (Frame::data(data), body))),
        Err(error) => Err(Status::cancelled(error.to_string())),
    });
    Body::new(StreamBody::new(frames))
}

/// Writes a message with its prefix.
pub(super) fn encode(message: &impl Message, into: &mut BytesMut) {
    let length = message.encoded_len();
    into.reserve(PREFIX + length);
    into.put_u8(0);
    // An answer is far smaller than 4 GiB.
    into.put_u32(length as u32);
    message.encode_raw(into);
}

/// Reads a body to its end: its one message.
async fn read<M: Message + Default>(
    mut body: RecvStream,
    max_message_size: usize,
) -> Result<M, ServeError> {
    let mut whole = data(&mut body).await?.unwrap_or_default();
    let mut needed = only_length(&whole, max_message_size)?;
    // Most messages come in one frame.
    if let Some(mut part) = data(&mut body).await? {
        let mut parts = BytesMut::from(whole);
        loop {
            parts.extend_from_slice(&part);
            needed = only_length(&parts, max_message_size)?;
            match data(&mut body).await? {
                Some(next) => part = next,
                None => break,
            }
        }
        whole = parts.freeze();
    }
    if needed != Some(whole.len()) {
        return Err(ends_early(whole.len()));
    }
    decode(whole, None)
}

/// The next bytes of a body; `None` at its end.
async fn data(body: &mut RecvStream) -> Result<Option<Bytes>, ServeError> {
    while let Some(data) = body.data().await {
        let data = data.map_err(|error| unreadable(&error))?;
        let flow = body.flow_control();
        flow.release_capacity(data.len())
            .map_err(|error| unreadable(&error))?;
        if !data.is_empty() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// The bytes of the first prefix and message of a body together; `None`: the prefix has not come
/// whole yet.
fn length(body: &[u8], max_message_size: usize) -> Result<Option<usize>, ServeError> {
    let [flag, a, b, c, d, ..] = *body else {
        return Ok(None);
    };
    if flag != 0 {
        let words = format!("its compression flag is {flag}; 0 is needed without a grpc-encoding");
        return Err(unreadable(&words));
    }
    let message = u32::from_be_bytes([a, b, c, d]) as usize;
    if message > max_message_size {
        let words = format!(
            "is too large; at most {max_message_size} bytes (max_message_size) are allowed"
        );
        return Err(ServeError::invalid("request", words));
    }
    Ok(Some(PREFIX + message))
}

/// The [`length`] of the only message of a body.
fn only_length(body: &[u8], max_message_size: usize) -> Result<Option<usize>, ServeError> {
    let length = length(body, max_message_size)?;
    if length.is_some_and(|length| body.len() > length) {
        return Err(unreadable(&"more than one message came"));
    }
    Ok(length)
}

/// Decodes a message with its prefix, if it has not too many fields, see [`fields::check`].
fn decode<M: Message + Default>(
    mut message: Bytes,
    request_field: Option<u32>,
) -> Result<M, ServeError> {
    message.advance(PREFIX);
    fields::check(&message, request_field)?;
    M::decode(message).map_err(|error| unreadable(&error))
}

fn ends_early(bytes: usize) -> ServeError {
    unreadable(&format!("the body ends after {bytes} bytes"))
}

fn unreadable(why: &dyn std::fmt::Display) -> ServeError {
    ServeError::invalid("request", format!("cannot be read: {why}"))
}
