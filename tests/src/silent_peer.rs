//! Frames of HTTP/2 by hand, for peers that no library makes: an `:authority` that is no URI's, and
//! silence after a request.

use prost::Message;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::Server;
use crate::wire::grpc_message;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// A connection whose peer has made one call and does nothing any more: it acknowledges nothing and
/// reads nothing.
#[derive(Debug)]
pub struct SilentPeer(TcpStream);

impl SilentPeer {
    /// Makes a call on a connection of its own, with room for `window` bytes of the answer.
    pub async fn ask(server: &Server, path: &str, message: &impl Message, window: u16) -> Self {
        Self::ask_as(server, "quintet", path, message, window).await
    }

    async fn ask_as(
        server: &Server,
        authority: &str,
        path: &str,
        message: &impl Message,
        window: u16,
    ) -> Self {
        let mut stream = TcpStream::connect(server.address())
            .await
            .expect("the server listens");
        let message = grpc_message(&message.encode_to_vec());
        // POST and http by the static table, then fields by name.
        let mut headers = vec![0x83, 0x86];
        for (name, value) in [
            (":authority", authority),
            (":path", path),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ] {
            headers.push(0);
            for text in [name, value] {
                assert!(text.len() < 0x7f, "{text}");
                headers.push(text.len() as u8);
                headers.extend_from_slice(text.as_bytes());
            }
        }
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        let [high, low] = window.to_be_bytes();
        bytes.extend(http2_frame(SETTINGS, 0, 0, &[0, 4, 0, 0, high, low]));
        bytes.extend(http2_frame(HEADERS, END_HEADERS, 1, &headers));
        let mut parts = message.chunks(16_384).peekable();
        while let Some(part) = parts.next() {
            let flags = if parts.peek().is_some() {
                0
            } else {
                END_STREAM
            };
            bytes.extend(http2_frame(DATA, flags, 1, part));
        }
        stream
            .write_all(&bytes)
            .await
            .expect("the server takes requests");
        Self(stream)
    }
}

/// Makes a call with this `:authority` on a connection of its own. Returns its gRPC status as text,
/// or how the stream ended.
pub async fn call_as(
    server: &Server,
    authority: &str,
    path: &str,
    message: &impl Message,
) -> String {
    let mut peer = SilentPeer::ask_as(server, authority, path, message, u16::MAX).await;
    loop {
        let mut header = [0; 9];
        let read = peer.0.read_exact(&mut header).await;
        read.expect("the server goes on");
        let [a, b, c, kind, flags, _, _, _, stream] = header;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        let read = peer.0.read_exact(&mut payload).await;
        read.expect("the server goes on");
        match (kind, stream) {
            (HEADERS, 1) if flags & END_STREAM != 0 => {
                // `grpc-status: 0` in Huffman's code or as it is.
                let is_ok = payload.ends_with(b"\x81\x07") || payload.ends_with(b"\x010");
                return if is_ok {
                    "0".to_owned()
                } else {
                    format!("{payload:x?}")
                };
            }
            (RST_STREAM, 1) => return format!("RST_STREAM {payload:?}"),
            _ => {}
        }
    }
}

/// A frame of HTTP/2 (RFC 9113, section 4.1).
pub fn http2_frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    [&[a, b, c, kind, flags], &stream.to_be_bytes()[..], payload].concat()
}
