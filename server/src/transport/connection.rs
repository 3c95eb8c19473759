//! One HTTP/2 connection: takes its requests as they come, answers each on its own, and ends the
//! connection of a silent peer (keep-alive).
//!
//! It builds on h2. hyper would add to each request what gRPC has no use for: a task even for a
//! refusal, a body behind one more trait, a date, upgrades.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Ping, PingPong};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep};

use super::exchange::{self, Answering};
use super::exchanges::Exchanges;
use super::messages::Incoming;
use super::socket::{READ_AT_ONCE, Socket, Watch};
use super::{Handler, Peer};

/// The window of one stream in bytes; HTTP/2's default of 65,535 makes an image wait.
const STREAM_WINDOW: u32 = 1 << 20;
/// The window of one connection in bytes.
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Requests that may be open at once on one connection.
const MAX_CONCURRENT_STREAMS: u32 = 1024;
/// Requests that their callers may cancel before they are taken. A turn of input holds fewer
/// (frames of headers and of a reset take 23 bytes and more), so this cuts no caller: honest ones
/// cancel a thousand at once. All of a turn's requests are taken at its end.
const MAX_CANCELLED: usize = READ_AT_ONCE / 22;
/// h2's bound on the memory that small frames take beside their contents. It cuts honest callers: a
/// frame for a stream that has ended counts for ever. No frame stays in h2 here: a turn of input is
/// bounded ([`super::socket`]), and then requests take what has come ([`super::inbox`]).
const SMALL_FRAMES: usize = usize::MAX;
/// The largest header list that h2 takes, in bytes as HTTP/2 counts them. It refuses more with 431,
/// which gRPC has no words for, and ends the connection of a list that needs many more frames. So
/// the limit proper, [`super::MAX_METADATA`], is checked after it, and one caller's metadata of 256
/// KiB costs the others on its connection nothing.
const MAX_HEADER_LIST: u32 = 16 * super::MAX_METADATA as u32;
/// A connection that has been silent for one to two of these gets a PING, and is ended if it stays
/// silent for another one.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// A connection, as a future that resolves when it has ended.
pub(super) struct Connection<S, H> {
    h2: h2::server::Connection<Socket<S>, Bytes>,
    handler: H,
    peer: Arc<Peer>,
    watch: Arc<Watch>,
    silence: Silence,
    exchanges: Arc<Exchanges>,
    has_asked: bool,
    /// Requests of one read whose answers are not polled yet.
    fresh: Vec<(Answering, SendResponse<Bytes>)>,
}

/// Why the server ended a connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error(transparent)]
    Protocol(#[from] h2::Error),
    #[error("the peer is silent")]
    Silent,
    #[error("the peer neither completes its requests nor takes its answers")]
    Unread,
    #[error("its requests took longer than the grace after its age")]
    Aged,
}

/// How long a connection has been silent.
struct Silence {
    ping: PingPong,
    /// Whether a PING waits for its answer.
    has_pinged: bool,
    timer: Pin<Box<Sleep>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin, H> Connection<S, H> {
    /// Resolves after HTTP/2's preface and settings.
    ///
    /// # Errors
    /// The peer does not speak HTTP/2, or has left.
    pub(super) async fn open(
        stream: S,
        peer: Arc<Peer>,
        handler: H,
        exchanges: Arc<Exchanges>,
    ) -> Result<Self, h2::Error> {
        let watch = Arc::<Watch>::default();
        watch.begin_turn();
        let stream = Socket::new(stream, Arc::clone(&watch));
        let mut h2 = h2::server::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
            .max_header_list_size(MAX_HEADER_LIST)
            .max_pending_accept_reset_streams(MAX_CANCELLED)
            .max_concurrent_reset_streams(MAX_CONCURRENT_STREAMS as usize)
            .data_frame_budget(SMALL_FRAMES)
            .handshake(stream)
            .await?;
        let ping = h2.ping_pong().expect("nobody has taken it before");
        Ok(Self {
            h2,
            handler,
            peer,
            watch,
            silence: Silence {
                ping,
                has_pinged: false,
                timer: Box::pin(sleep(KEEPALIVE)),
            },
            exchanges,
            has_asked: false,
            fresh: Vec::new(),
        })
    }

    /// Sends a GOAWAY; the connection ends once the streams that are open are done.
    pub(super) fn finish(&mut self) {
        self.h2.graceful_shutdown();
    }

    /// Whether a request has ever come.
    pub(super) fn has_asked(&self) -> bool {
        self.has_asked
    }

    /// Whether only the peer keeps the connection open, and has given no sign of life since the
    /// last call.
    pub(super) fn is_stuck(&self) -> bool {
        !self.watch.take_sign_of_life() && !self.exchanges.is_busy()
    }
}

impl<S, H> Future for Connection<S, H>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler + Unpin,
{
    type Output = Result<(), Ended>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.watch.begin_turn();
        // Take all requests that have come before polling an answer, so that the answers leave
        // together.
        while let Poll::Ready(accepted) = this.h2.poll_accept(context) {
            let Some(accepted) = accepted else {
                return Poll::Ready(Ok(()));
            };
            let (request, respond) = accepted?;
            this.has_asked = true;
            let request = request.map(|body| Incoming::new(body, Arc::clone(&this.exchanges)));
            let answering = this.handler.call(request, &this.peer);
            this.fresh.push((answering, respond));
        }
        for (answering, respond) in this.fresh.drain(..) {
            exchange::answer(answering, respond, &this.exchanges);
        }
        // A silent peer will not read a GOAWAY.
        this.silence
            .poll(&this.watch, context)
            .map(|()| Err(Ended::Silent))
    }
}

impl Silence {
    /// Ready when the connection is to be ended.
    fn poll(&mut self, watch: &Watch, context: &mut Context<'_>) -> Poll<()> {
        if self.has_pinged && self.ping.poll_pong(context).is_ready() {
            self.has_pinged = false;
        }
        loop {
            ready!(self.timer.as_mut().poll(context));
            self.timer.as_mut().reset(Instant::now() + KEEPALIVE);
            if watch.take_sign_of_life() {
                continue;
            }
            if self.has_pinged || self.ping.send_ping(Ping::opaque()).is_err() {
                return Poll::Ready(());
            }
            self.has_pinged = true;
        }
    }
}

#[cfg(test)]
mod tests;
