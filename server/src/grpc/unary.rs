//! Inference calls of one message each way, straight from HTTP/2's frames (gRPC over HTTP/2, "Length-Prefixed-Message").
//!
//! tonic carries every call as a pair of streams behind a router, with buffers of their own; for a small request that
//! costs as much as everything else that is done for it. Here a message is decoded from the frame it came in, its bytes
//! not copied, and the answer is one frame and its trailers.

use std::cell::RefCell;
use std::pin::pin;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use h2::RecvStream;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use prost::Message;
use tokio::time::Instant;
use tonic::Code;
use tonic::body::Body;

use super::exchange::Reply;
use super::fields;
use super::status::status;
use crate::error::ServeError;
use crate::flow::within;

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// The compression flag and the length, before each message.
const PREFIX: usize = 5;

/// An error and the headers that tell of it.
struct Written {
    error: ServeError,
    headers: HeaderMap,
    code: Code,
}

thread_local! {
    /// What a full queue tells thousands of callers a second, because writing it costs more than reading their requests.
    static LAST_FULL: RefCell<Option<Written>> = const { RefCell::new(None) };
}

/// The one message of a request, if it has come in whole before the deadline.
pub(super) async fn message<M: Message + Default>(
    body: RecvStream,
    max_message_size: usize,
    deadline: Option<Instant>,
) -> Result<M, ServeError> {
    within(deadline, pin!(read(body, max_message_size))).await
}

/// How a call ended, as an answer.
pub(super) fn answer<A: Message>(outcome: Result<A, ServeError>) -> (Response<Reply>, Code) {
    match outcome {
        Ok(message) => (reply(&message), Code::Ok),
        Err(error) => refuse(&error),
    }
}

/// An error as an answer.
pub(super) fn refuse(error: &ServeError) -> (Response<Reply>, Code) {
    let (headers, code) = match error {
        ServeError::QueueFull { .. } => kept(error),
        _ => write(error),
    };
    let mut response = Response::new(Reply::Nothing);
    *response.headers_mut() = headers;
    (response, code)
}

/// The headers as they were written for the last such error, if that said the same.
fn kept(error: &ServeError) -> (HeaderMap, Code) {
    LAST_FULL.with_borrow_mut(|last| match last {
        Some(last) if last.error == *error => (last.headers.clone(), last.code),
        _ => {
            let (headers, code) = write(error);
            *last = Some(Written {
                error: error.clone(),
                headers: headers.clone(),
                code,
            });
            (headers, code)
        }
    })
}

fn write(error: &ServeError) -> (HeaderMap, Code) {
    let status = status(error);
    let code = status.code();
    let (head, _) = status.into_http::<Body>().into_parts();
    (head.headers, code)
}

/// Whether the messages of a call with these headers are as they are: what is compressed is tonic's to refuse.
pub(super) fn is_plain(headers: &HeaderMap) -> bool {
    headers
        .get(GRPC_ENCODING)
        .is_none_or(|encoding| encoding == "identity")
}

/// The one message of a request, read to its end.
async fn read<M: Message + Default>(
    mut body: RecvStream,
    max_message_size: usize,
) -> Result<M, ServeError> {
    let mut whole = data(&mut body).await?.unwrap_or_default();
    let mut needed = length(&whole, max_message_size)?;
    // Nearly every message comes in one frame.
    if let Some(mut part) = data(&mut body).await? {
        let mut parts = BytesMut::from(whole);
        loop {
            parts.extend_from_slice(&part);
            needed = length(&parts, max_message_size)?;
            match data(&mut body).await? {
                Some(next) => part = next,
                None => break,
            }
        }
        whole = parts.freeze();
    }
    if needed != Some(whole.len()) {
        let words = format!("the body ends after {} bytes", whole.len());
        return Err(unreadable(&words));
    }
    whole.advance(PREFIX);
    fields::check(&whole, None)?;
    M::decode(whole).map_err(|error| unreadable(&error))
}

/// The next bytes of a body; `None` at its end. Trailers say nothing here.
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

/// Bytes that a body is to have, prefix and message, by what has come of it; `None`: the prefix is not all there yet.
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
    if body.len() > PREFIX + message {
        return Err(unreadable(&"more than one message came"));
    }
    Ok(Some(PREFIX + message))
}

fn unreadable(why: &dyn std::fmt::Display) -> ServeError {
    ServeError::invalid("request", format!("cannot be read: {why}"))
}

fn reply(message: &impl Message) -> Response<Reply> {
    let length = message.encoded_len();
    let mut data = BytesMut::with_capacity(PREFIX + length);
    data.put_u8(0);
    // An answer is far smaller than 4 GiB.
    data.put_u32(length as u32);
    message.encode_raw(&mut data);
    let mut response = Response::new(Reply::Message(data.freeze()));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::Status;

    use super::*;
    use crate::batching::QueueFull;

    #[test]
    fn a_refusal_that_was_kept_says_the_same() {
        let busy = |depth: usize| ServeError::QueueFull {
            model: "cnn".into(),
            full: QueueFull {
                unit: "rows",
                depth,
                limit: 20,
                more: 1,
            },
            retry_after: Duration::from_millis(depth as u64),
        };
        for error in [busy(10), busy(10), busy(20), busy(10)] {
            let (response, code) = refuse(&error);
            let refused = Status::from_header_map(response.headers()).unwrap();
            assert_eq!(
                (refused.code(), code),
                (Code::ResourceExhausted, Code::ResourceExhausted)
            );
            assert_eq!(refused.message(), error.to_string());
            assert_eq!(refused.details(), status(&error).details());
        }
    }
}
