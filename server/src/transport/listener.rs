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

use super::lifetime::{Ends, connection, stopped};
use super::register::{Bounds, Control, Place, Register};
use super::{Handler, Peer};
use crate::io_threads::IoThreads;
use crate::log::Seldom;
use crate::tls::Handshakes;

/// The pause after a failed accept, for example without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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
                    match handshakes {
                        Some(handshakes) => tls(stream, peer, handshakes, answering, ends).await,
                        None => tcp(stream, peer, answering, ends).await,
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

/// Serves a TCP connection on this thread, once its handshake is done on another one.
async fn tls(
    stream: std::net::TcpStream,
    peer: Peer,
    handshakes: Handshakes,
    handler: impl Handler + Unpin,
    mut ends: Ends,
) {
    let secured = tokio::select! {
        secured = handshakes.secure(stream) => secured,
        () = stopped(&mut ends.shutdown) => return,
        () = ends.control.make_room.notified() => return,
    };
    match secured {
        Ok(secured) => {
            let identity = secured.identity;
            let peer = Arc::new(Peer { identity, ..peer });
            connection(secured.stream, peer, handler, ends).await;
        }
        Err(failure) => {
            tracing::debug!(peer = %peer.address, %failure, "connection did not become secure");
        }
    }
}

/// Serves a TCP connection on this thread.
async fn tcp(stream: std::net::TcpStream, peer: Peer, handler: impl Handler + Unpin, ends: Ends) {
    let address = peer.address;
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(peer = %address, %error, "a connection could not be served");
            return;
        }
    };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(peer = %address, %error, "TCP_NODELAY cannot be set");
    }
    connection(stream, Arc::new(peer), handler, ends).await;
}
