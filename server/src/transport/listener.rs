//! The accept loop: HTTP/2 connections, each a task, with a graceful shutdown.
//!
//! tonic's own server answers a passed `grpc-timeout` with CANCELLED before the core can say
//! DEADLINE_EXCEEDED, and waits for its connections without limit. h2 does neither.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::lifetime::{Ends, connection, stopped};
use super::register::{Bounds, Control, Place, Register};
use super::{Handler, Peer};
use crate::io_threads::IoThreads;
use crate::log::Seldom;
use crate::tls::Handshakes;

/// The pause after a failed accept, for example without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A connection in plain text, or after its handshake. It is one type, so that h2 is compiled once.
/// With two, the compiler inlines its functions less, and small requests are slower.
type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// Where connections come from.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) listener: TcpListener,
    /// `None`: it serves plain text.
    pub(crate) handshakes: Option<Handshakes>,
}

/// Serves until `shutdown` is true, then lets the open connections finish their requests. Returns
/// when the last has ended. Dropping the future ends them all.
pub(crate) async fn serve(
    endpoint: Endpoint,
    io_threads: IoThreads,
    handler: impl Handler + Clone + Unpin + Send + 'static,
    bounds: Bounds,
    mut shutdown: watch::Receiver<bool>,
) {
    let Endpoint {
        listener,
        handshakes,
    } = endpoint;
    let mut connections = JoinSet::new();
    let mut register = Register::new(bounds);
    let (mut failed, mut refused) = (Seldom::default(), Seldom::default());
    loop {
        tokio::select! {
            // First the ends, so that their places are free.
            biased;
            () = stopped(&mut shutdown) => break,
            Some(ended) = connections.join_next_with_id() => {
                register.remove(ended.map_or_else(|panic| panic.id(), |(id, ())| id));
                handler.connections(register.len());
            }
            accepted = accept(&listener) => {
                let (stream, address) = match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        if let Some(times) = failed.times() {
                            tracing::warn!(%error, times, "connections could not be accepted");
                        }
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                };
                let place = register.find_place(address.ip());
                if place != Place::Free {
                    handler.turned_away(place == Place::MadeFree);
                }
                if place == Place::None {
                    if let Some(times) = refused.times() {
                        let (max, max_per_address) = (bounds.max, bounds.max_per_address);
                        tracing::warn!(
                            peer = %address, times, max, max_per_address,
                            "connections were refused: there are too many, and none is idle"
                        );
                    }
                    continue;
                }
                let thread = io_threads.place();
                let runtime = Handle::clone(&thread);
                let control = Arc::<Control>::default();
                let ends = Ends {
                    shutdown: shutdown.clone(),
                    control: Arc::clone(&control),
                    bounds,
                };
                let peer = Peer { address, identity: None };
                let (handshakes, answering) = (handshakes.clone(), handler.clone());
                let connection = async move {
                    let mut ends = ends;
                    let opened = match handshakes {
                        Some(handshakes) => tls(stream, peer, handshakes, &mut ends).await,
                        None => plain(stream, peer),
                    };
                    if let Some((stream, peer)) = opened {
                        connection(stream, Arc::new(peer), answering, ends).await;
                    }
                    drop(thread);
                };
                let id = connections.spawn_on(connection, &runtime).id();
                register.add(id, address.ip(), control);
                handler.connections(register.len());
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn accept(listener: &TcpListener) -> std::io::Result<(std::net::TcpStream, SocketAddr)> {
    let (stream, address) = listener.accept().await?;
    Ok((stream.into_std()?, address))
}

/// A connection after its handshake, which is done on another thread; `None`: it has ended.
async fn tls(
    stream: std::net::TcpStream,
    peer: Peer,
    handshakes: Handshakes,
    ends: &mut Ends,
) -> Option<(Stream, Peer)> {
    let secured = tokio::select! {
        secured = handshakes.secure(stream) => secured,
        () = stopped(&mut ends.shutdown) => return None,
        () = ends.control.make_room.notified() => return None,
    };
    match secured {
        Ok(secured) => {
            let identity = secured.identity;
            let stream = Either::Right(Box::new(secured.stream));
            Some((stream, Peer { identity, ..peer }))
        }
        Err(failure) => {
            tracing::debug!(peer = %peer.address, %failure, "connection did not become secure");
            None
        }
    }
}

/// A connection in plain text, on this thread.
fn plain(stream: std::net::TcpStream, peer: Peer) -> Option<(Stream, Peer)> {
    let address = peer.address;
    let stream = TcpStream::from_std(stream)
        .inspect_err(
            |error| tracing::warn!(peer = %address, %error, "a connection could not be served"),
        )
        .ok()?;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(peer = %address, %error, "TCP_NODELAY cannot be set");
    }
    Some((Either::Left(stream), peer))
}
