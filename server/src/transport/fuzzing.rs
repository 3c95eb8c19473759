//! Connections from a fuzzer.

use std::cell::RefCell;
use std::future::ready;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::Request;
use tokio::io::{AsyncWriteExt as _, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::connection::Connection;
use super::{
    Allowed, Answering, Budget, Charge, Decompressing, Encoding, Encodings, Handler, Incoming,
    Peer, Reply, ResponseCompression, deadline, is_compressed, metadata_size,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What the server may write before anybody reads; more than any input causes.
const ROOM: usize = 1 << 24;
const MAX_MESSAGE_SIZE: usize = 1 << 16;

static BUDGET: LazyLock<Budget> = LazyLock::new(|| Budget::new(1 << 20));

thread_local! {
    static RUNTIME: RefCell<Runtime> = RefCell::new(
        Builder::new_current_thread().enable_time().build().expect("a runtime without I/O"),
    );
}

/// Reads a request's messages, one or a stream of them by its path, and gives back how many bytes
/// they had.
struct Reader;

impl Handler for Reader {
    fn call(&self, request: Request<Incoming>, _: &Arc<Peer>) -> Answering {
        metadata_size(request.headers());
        if deadline(&request, Instant::now()).is_err() {
            return Box::pin(ready(Reply::Nothing.into_response()));
        }
        let agreed = Encodings::agree(request.headers(), ResponseCompression::Accepted);
        let encoding = agreed.unwrap_or_default().request;
        let allowed = Allowed {
            size: MAX_MESSAGE_SIZE,
            compressed: encoding.is_some(),
        };
        let is_stream = request.uri().path().len() % 2 == 0;
        let body = request.into_body();
        Box::pin(async move {
            let read = if is_stream {
                let messages = body.into_inbox(*BUDGET).messages(allowed);
                let sizes = messages.map(|message| message.map_or(0, |it| size(it, encoding)));
                sizes.fold(0, async |all, size| all + size).await
            } else {
                let message = body.only_message(allowed, *BUDGET).await;
                message.map_or(0, |it| size(it, encoding))
            };
            Reply::Message(Bytes::from(read.to_string())).into_response()
        })
    }
}

/// The size of a message, decompressed if it is compressed.
fn size(message: (Bytes, Charge), encoding: Option<Encoding>) -> usize {
    let Some(encoding) = encoding.filter(|_| is_compressed(&message.0)) else {
        return message.0.len();
    };
    let Ok(mut work) = Decompressing::new(encoding, message, MAX_MESSAGE_SIZE) else {
        return 0;
    };
    loop {
        if let Some(result) = work.step() {
            return result.map_or(0, |(bytes, _)| bytes.len());
        }
    }
}

/// A connection whose peer sends its preface and these bytes, and then no more.
pub fn connection(frames: &[u8]) {
    RUNTIME.with_borrow(|runtime| {
        runtime.block_on(async {
            let (here, mut there) = duplex(ROOM);
            let sent = async {
                there.write_all(PREFACE).await?;
                there.write_all(frames).await?;
                there.shutdown().await
            };
            sent.await.expect("there is room");
            let address = ([127, 0, 0, 1], 1).into();
            let peer = Arc::new(Peer {
                address,
                identity: None,
            });
            if let Ok(connection) = Connection::open(here, peer, Reader, Arc::default()).await {
                // However it ends.
                let _ = connection.await;
            }
            tokio::task::yield_now().await;
        });
    });
    assert!(BUDGET.used() <= 1 << 20);
}
