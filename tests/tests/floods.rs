//! Floods of frames: other connections do not notice, and nothing stays behind. `make test-hostile`
//! has more of them, and larger ones.

use quintet_e2e::{Scrape, Server, http2_frame, server, tiny};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::assert_works;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_HEADERS: u8 = 0x4;
/// Bytes of a flood.
const FLOOD: usize = 2 << 20;

/// The headers of a call of Classify that stays open.
fn call(stream: u32, flags: u8) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    for (name, value) in [
        (":authority", "quintet"),
        (":path", "/quintet.v1.InferenceService/Classify"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        block.push(0);
        for text in [name, value] {
            block.push(text.len() as u8);
            block.extend_from_slice(text.as_bytes());
        }
    }
    http2_frame(HEADERS, flags, stream, &block)
}

/// How a request is reset.
#[derive(Debug)]
enum Reset {
    /// By RST_STREAM (CVE-2023-44487).
    Peer,
    /// By the server, for an increment of nothing (CVE-2025-8671).
    Nothing,
    /// By the server, for a window that overflows.
    Overflow,
}

impl Reset {
    fn of(&self, stream: u32) -> Vec<u8> {
        match self {
            Self::Peer => http2_frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()),
            Self::Nothing => window_update(stream, 0),
            Self::Overflow => window_update(stream, i32::MAX as u32),
        }
    }
}

fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    http2_frame(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

/// Sends these bytes on a connection of its own, and reads what comes without a look at it. The
/// server may end the connection at any time.
async fn send(server: &Server, bytes: Vec<u8>) {
    let stream = TcpStream::connect(server.address()).await;
    let (mut read, mut write) = stream.expect("the server listens").into_split();
    let reading = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut read, &mut tokio::io::sink()).await;
        read
    });
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let start = [&preface[..], &http2_frame(SETTINGS, 0, 0, &[])].concat();
    if write.write_all(&start).await.is_ok() {
        let _ = write.write_all(&bytes).await;
    }
    let _ = write.shutdown().await;
    reading.await.expect("reading does not panic");
}

async fn bears(name: &str, bytes: Vec<u8>) {
    let server = server().model(tiny("digits")).start().await;
    let beside = async {
        for _ in 0..5 {
            assert_works(&server).await;
        }
    };
    tokio::join!(send(&server, bytes), beside);
    assert_works(&server).await;
    for gauge in [
        "quintet_requests_in_flight",
        "quintet_bytes_in_flight",
        "quintet_connections",
    ] {
        let is_zero = |metrics: &Scrape| metrics.value(gauge, &[]) == 0;
        server.metrics_when(is_zero).await;
    }
    let failed = server.metrics().await.total("quintet_batches_failed_total");
    assert!(failed < 0.5, "{name}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_repeated() {
    let settings = |window: u32| {
        let [a, b, c, d] = window.to_be_bytes();
        http2_frame(SETTINGS, 0, 0, &[0, 4, a, b, c, d])
    };
    let open = call(1, END_HEADERS);
    for (name, opening, block) in [
        ("SETTINGS", vec![], http2_frame(SETTINGS, 0, 0, &[])),
        (
            "SETTINGS that change",
            open.clone(),
            [settings(0), settings(1 << 30)].concat(),
        ),
        ("PING", vec![], http2_frame(PING, 0, 0, &[7; 8])),
        (
            "acknowledged PING",
            vec![],
            http2_frame(PING, 1, 0, &[7; 8]),
        ),
        ("empty DATA", open.clone(), http2_frame(DATA, 0, 1, &[])),
        ("WINDOW_UPDATE", open, window_update(0, 1)),
        (
            "PRIORITY",
            vec![],
            http2_frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 9]),
        ),
        (
            "CONTINUATION",
            call(1, 0),
            http2_frame(CONTINUATION, 0, 1, b"\0\x01x\x01x"),
        ),
        (
            "empty CONTINUATION",
            call(1, 0),
            http2_frame(CONTINUATION, 0, 1, &[]),
        ),
        ("unknown", vec![], http2_frame(0xbe, 0xff, 0, &[7; 100])),
    ] {
        let times = FLOOD / block.len();
        bears(name, [opening, block.repeat(times)].concat()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_reset() {
    for way in [Reset::Peer, Reset::Nothing, Reset::Overflow] {
        let streams = (1..40_000).step_by(2);
        let requests = streams.map(|it| [call(it, END_HEADERS), way.of(it)].concat());
        bears(&format!("{way:?}"), requests.collect::<Vec<_>>().concat()).await;
    }
}

/// A field that is in the table once costs a byte each time it is meant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_grow_when_they_are_read() {
    let field = [b"\x40\x06x-bomb\x7f\xa1\x1e".as_slice(), &[b'x'; 4000]].concat();
    let mut bytes = http2_frame(HEADERS, END_HEADERS, 1, &field);
    for stream in (3..400).step_by(2) {
        bytes.extend(http2_frame(HEADERS, END_HEADERS, stream, &[0xbe; 16_000]));
    }
    bears("HPACK bomb", bytes).await;
}
