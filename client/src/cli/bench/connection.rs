//! One HTTP/2 connection and the calls on it, with nothing done that gRPC does not need.

use std::{
    fmt, io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use h2::{
    Reason, RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version, header,
    uri::PathAndQuery,
};
use quintet_proto::code_name;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::{Code, Status};

use super::{
    framing::Messages,
    servers::{Io, Servers},
};

/// Bytes that a server may have under way to us on one stream, and on the connection.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Streams to open before the server's SETTINGS say how many it takes.
const FIRST_STREAMS: usize = 1024;

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// A handle on a connection. Clones share it; each has one call under way at most.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    sender: SendRequest<Bytes>,
    request: Request<()>,
}

/// Where calls go, and what each says in its headers.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) servers: Rc<Servers>,
    /// `/package.Service/Method`.
    pub(super) path: &'static str,
    /// The `grpc-timeout` of each call.
    pub(super) timeout: Duration,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// The server's status, any but OK.
    #[error("{0}")]
    Refused(Refusal),
    /// The server ended this stream alone.
    #[error("the server ended it: {0}")]
    Reset(Reason),
    /// The reply is not gRPC's.
    #[error("{0}")]
    Malformed(&'static str),
    /// The connection is gone, and every call on it.
    #[error("{0}")]
    Lost(String),
    /// The connection takes no more calls: this one was not sent.
    #[error("{0}")]
    Closed(String),
    /// The connection closed, and there is no other.
    #[error("{0}")]
    Unreachable(String),
}

/// A status that is not OK.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: Code,
    said: Said,
}

/// What a server says beside a code. Headers are not decoded before the message is asked for: of a
/// thousand refusals, one is reported.
#[derive(Debug)]
enum Said {
    Headers(HeaderMap),
    Words(String),
}

/// A socket that says it writes no vectors: h2 then copies small frames into one buffer and writes
/// them at once, where it would otherwise make a system call for every request.
struct Gathered(Box<dyn Io>);

/// The header's value: at most eight digits and a unit.
fn grpc_timeout(timeout: Duration) -> String {
    match timeout.as_millis() {
        milliseconds @ ..100_000_000 => format!("{milliseconds}m"),
        _ => format!("{}S", timeout.as_secs().min(99_999_999)),
    }
}

/// The body of a response that is gRPC's and no refusal.
pub(super) fn accepted(response: Response<RecvStream>) -> Result<RecvStream, CallError> {
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(CallError::Malformed("an HTTP status other than 200"));
    }
    let content_type = head.headers.get(header::CONTENT_TYPE);
    if !content_type.is_some_and(|it| it.as_bytes().starts_with(GRPC.as_bytes())) {
        return Err(CallError::Malformed("another content type than gRPC's"));
    }
    // A reply of headers alone is a refusal.
    status(head.headers).transpose()?;
    Ok(body)
}

/// Whether the headers or trailers say OK; `None` where they say nothing.
pub(super) fn status(headers: HeaderMap) -> Option<Result<(), CallError>> {
    let code = Code::from_bytes(headers.get(GRPC_STATUS)?.as_bytes());
    if code == Code::Ok {
        return Some(Ok(()));
    }
    let said = Said::Headers(headers);
    Some(Err(CallError::Refused(Refusal { code, said })))
}

impl Connection {
    /// Connects, and spawns the connection's task on the current thread.
    pub(super) async fn open(call: &Target) -> io::Result<Self> {
        let (stream, origin) = call.servers.connect().await?;
        let (sender, connection) = h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_max_send_streams(FIRST_STREAMS)
            .enable_push(false)
            .handshake(Gathered(stream))
            .await
            .map_err(io::Error::other)?;
        // Every call in flight gets the connection's error.
        tokio::task::spawn_local(connection);
        let mut uri = origin.into_parts();
        uri.path_and_query = Some(PathAndQuery::from_static(call.path));
        let mut request = Request::post(Uri::from_parts(uri).map_err(io::Error::other)?)
            .version(Version::HTTP_2)
            .header(header::CONTENT_TYPE, GRPC)
            .header(header::TE, HeaderValue::from_static("trailers"))
            .header(GRPC_TIMEOUT, grpc_timeout(call.timeout))
            .body(())
            .map_err(io::Error::other)?;
        request.headers_mut().extend(call.servers.headers.clone());
        Ok(Self { sender, request })
    }

    /// Sends a call's headers.
    pub(super) async fn start(&mut self) -> Result<(ResponseFuture, SendStream<Bytes>), CallError> {
        let closed = |error: h2::Error| match error.into() {
            CallError::Lost(reason) => CallError::Closed(reason),
            error => error,
        };
        let ready = std::future::poll_fn(|cx| self.sender.poll_ready(cx)).await;
        ready.map_err(closed)?;
        let sent = self.sender.send_request(self.request.clone(), false);
        sent.map_err(closed)
    }

    /// Sends a framed message and gives the message of the answer.
    pub(super) async fn call(&mut self, body: Bytes) -> Result<Bytes, CallError> {
        let (response, mut stream) = self.start().await?;
        stream.send_data(body, true)?;
        let mut reply = accepted(response.await?)?;
        let mut messages = Messages::default();
        while let Some(piece) = next_piece(&mut reply).await? {
            messages.push(piece);
        }
        let trailers = reply.trailers().await?;
        match trailers.and_then(status) {
            Some(Ok(())) => messages.only(),
            Some(Err(refusal)) => Err(refusal),
            None => Err(CallError::Malformed("a reply without grpc-status")),
        }
    }
}

/// The next piece of a body, with its room in the window given back.
pub(super) async fn next_piece(reply: &mut RecvStream) -> Result<Option<Bytes>, CallError> {
    let piece = reply.data().await.transpose()?;
    if let Some(piece) = &piece {
        reply.flow_control().release_capacity(piece.len())?;
    }
    Ok(piece)
}

impl Refusal {
    /// By a reply on a stream.
    pub(super) fn new(code: Code, message: String) -> Self {
        let said = Said::Words(message);
        Self { code, said }
    }

    /// What the server says of it; may be empty.
    pub(super) fn message(&self) -> String {
        match &self.said {
            Said::Words(words) => words.clone(),
            Said::Headers(headers) => Status::from_header_map(headers)
                .map_or_else(String::new, |status| status.message().to_owned()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(code_name(self.code))?;
        match self.message().as_str() {
            "" => Ok(()),
            message => write!(f, ": {message}"),
        }
    }
}

impl CallError {
    /// What to count it as.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => code_name(refusal.code),
            Self::Reset(_) => "RESET",
            Self::Malformed(_) => "MALFORMED",
            Self::Lost(_) | Self::Closed(_) | Self::Unreachable(_) => "LOST",
        }
    }

    /// What was said beside that.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.message(),
            Self::Reset(reason) => reason.to_string(),
            Self::Malformed(what) => (*what).to_owned(),
            Self::Lost(reason) | Self::Closed(reason) | Self::Unreachable(reason) => reason.clone(),
        }
    }
}

impl From<h2::Error> for CallError {
    fn from(error: h2::Error) -> Self {
        match error.reason() {
            Some(reason) if error.is_reset() && error.is_remote() => Self::Reset(reason),
            Some(reason) if error.is_go_away() && error.is_remote() => {
                Self::Lost(format!("the server closed the connection ({reason})"))
            }
            _ => Self::Lost(error.to_string()),
        }
    }
}

impl AsyncRead for Gathered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, bytes)
    }
}

impl AsyncWrite for Gathered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_at_most_eight_digits() {
        for (milliseconds, value) in [
            (1, "1m"),
            (10_000, "10000m"),
            (99_999_999, "99999999m"),
            (100_000_000, "100000S"),
            (u64::MAX, "99999999S"),
        ] {
            assert_eq!(grpc_timeout(Duration::from_millis(milliseconds)), value);
        }
    }
}
