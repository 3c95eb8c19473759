//! Inference calls of one message each way, straight from HTTP/2's frames (gRPC over HTTP/2, "Length-Prefixed-Message").
//!
//! tonic carries every call as a pair of streams behind a router, with buffers of their own; for a small request that
//! costs as much as everything else that is done for it. Here a message is decoded from the frame it came in, its bytes
//! not copied, and the answer is one frame and its trailers.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Frame;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use prost::Message;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};

use super::fields;
use super::status::status;
use crate::error::ServeError;
use crate::flow::within;

/// The compression flag and the length, before each message.
const PREFIX: usize = 5;

/// The body of an answer.
pub(super) enum Reply {
    /// One message, with its prefix, and that all is well; gone once they are out.
    Message(Option<Bytes>, Option<HeaderMap>),
    /// What tonic made.
    Tonic(Body),
}

/// Answers one request by `answer`, if it has come in whole before the deadline; says how it ended, too.
pub(super) async fn carry<M, A>(
    body: Incoming,
    max_message_size: usize,
    deadline: Option<Instant>,
    answer: impl AsyncFnOnce(M) -> Result<A, ServeError>,
) -> (Response<Reply>, Code)
where
    M: Message + Default,
    A: Message,
{
    let outcome = match within(deadline, read(body, max_message_size)).await {
        Ok(message) => answer(message).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(message) => (reply(&message), Code::Ok),
        Err(error) => refuse(&error),
    }
}

/// An error as an answer.
pub(super) fn refuse(error: &ServeError) -> (Response<Reply>, Code) {
    let status = status(error);
    (status.clone().into_http().map(Reply::Tonic), status.code())
}

/// Whether the messages of a call with these headers are as they are: what is compressed is tonic's to refuse.
pub(super) fn is_plain(headers: &HeaderMap) -> bool {
    headers
        .get("grpc-encoding")
        .is_none_or(|encoding| encoding == "identity")
}

/// The one message of a request, read to its end.
async fn read<M: Message + Default>(
    mut body: Incoming,
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

/// The next bytes of a body; `None` at its end.
async fn data(body: &mut Incoming) -> Result<Option<Bytes>, ServeError> {
    while let Some(frame) = body.frame().await {
        match frame.map_err(|error| unreadable(&error))?.into_data() {
            Ok(data) if !data.is_empty() => return Ok(Some(data)),
            // Trailers say nothing here.
            _ => {}
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
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
    let mut response = Response::new(Reply::Message(Some(data.freeze()), Some(trailers)));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    response
}

impl http_body::Body for Reply {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match &mut *self {
            Self::Message(data, trailers) => Poll::Ready(
                data.take()
                    .map(Frame::data)
                    .or_else(|| trailers.take().map(Frame::trailers))
                    .map(Ok),
            ),
            Self::Tonic(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Message(_, trailers) => trailers.is_none(),
            Self::Tonic(body) => body.is_end_stream(),
        }
    }
}
