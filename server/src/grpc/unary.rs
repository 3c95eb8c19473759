//! Unary calls, straight from the frames of HTTP/2 (gRPC over HTTP/2, "Length-Prefixed-Message").
//!
//! tonic carries every call as a pair of streams behind a router, with buffers of their own. For a
//! small request that costs as much as everything else. Here a message is decoded from the frame it
//! came in without a copy, and the answer is one frame and its trailers.

use std::cell::RefCell;
use std::pin::pin;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use h2::RecvStream;
use http::{HeaderMap, HeaderValue, Response, header};
use prost::Message;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};

use super::exchange::Reply;
use super::fields;
use super::status::status;
use crate::error::ServeError;
use crate::flow::within;

/// The compression flag and the length, before each message.
const PREFIX: usize = 5;

/// An error and the headers that carry it.
struct Written {
    error: ServeError,
    headers: HeaderMap,
    code: Code,
}

thread_local! {
    /// The last refusal by a full queue. Thousands of callers a second get the same one, and writing
    /// it costs more than reading their requests.
    static LAST_FULL: RefCell<Option<Written>> = const { RefCell::new(None) };
}

/// The message of a request, if it has come whole before the deadline.
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
        _ => write(status(error)),
    };
    refusal(headers, code)
}

/// A status as an answer.
pub(super) fn refuse_as(status: Status) -> (Response<Reply>, Code) {
    let (headers, code) = write(status);
    refusal(headers, code)
}

fn refusal(headers: HeaderMap, code: Code) -> (Response<Reply>, Code) {
    let mut response = Response::new(Reply::Nothing);
    *response.headers_mut() = headers;
    (response, code)
}

/// The headers of the last such error, if it was the same.
fn kept(error: &ServeError) -> (HeaderMap, Code) {
    LAST_FULL.with_borrow_mut(|last| match last {
        Some(last) if last.error == *error => (last.headers.clone(), last.code),
        _ => {
            let (headers, code) = write(status(error));
            *last = Some(Written {
                error: error.clone(),
                headers: headers.clone(),
                code,
            });
            (headers, code)
        }
    })
}

fn write(status: Status) -> (HeaderMap, Code) {
    let code = status.code();
    let (head, _) = status.into_http::<Body>().into_parts();
    (head.headers, code)
}

/// Reads a request to its end: its one message.
async fn read<M: Message + Default>(
    mut body: RecvStream,
    max_message_size: usize,
) -> Result<M, ServeError> {
    let mut whole = data(&mut body).await?.unwrap_or_default();
    let mut needed = length(&whole, max_message_size)?;
    // Most messages come in one frame.
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

/// The next bytes of a body; `None` at its end. Trailers of a request have no meaning.
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

/// The bytes of prefix and message together, by what has come of the body; `None`: the prefix has
/// not come whole yet.
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

    use super::*;
    use crate::batching::{Bound, QueueFull};

    #[test]
    fn a_refusal_that_was_kept_says_the_same() {
        let busy = |depth: usize| ServeError::QueueFull {
            model: "cnn".into(),
            full: QueueFull {
                bound: Bound::Rows,
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
