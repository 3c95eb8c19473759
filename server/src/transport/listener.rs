//! The accept loop: HTTP/2 connections, each a task, with a graceful shutdown.
//!
//! tonic's own server answers a passed `grpc-timeout` with CANCELLED before the core can say
//! DEADLINE_EXCEEDED, and waits for its connections without limit. h2 does neither.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connection::{Connection, Ended};
use super::{Handler, Peer};
use crate::io_threads::IoThreads;
use crate::tls::Handshakes;

/// How long a shutdown waits for a connection that has never sent a request.
const UNASKED_GRACE: Duration = Duration::from_millis(500);
/// How long a shutdown waits for a sign of life from a peer that has only to take its answers.
const UNREAD_GRACE: Duration = Duration::from_secs(2);
/// How long a new connection may take for HTTP/2's preface.
const PREFACE: Duration = Duration::from_secs(20);
/// The pause after a failed accept, for example without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves, plain text or after `handshakes`, until `shutdown` is true, then lets the open
/// connections finish their requests. Returns when the last has ended. Dropping the future ends
/// them all.
pub(crate) async fn serve(
    listener: TcpListener,
    io_threads: IoThreads,
    handshakes: Option<Handshakes>,
    handler: impl Handler + Clone + Unpin + Send + 'static,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted.and_then(|(stream, address)| Ok((stream.into_std()?, address))) {
                Ok((stream, address)) => {
                    let peer = Peer { address, identity: None };
                    let place = io_threads.place();
                    let runtime = Handle::clone(&place);
                    let (handshakes, handler) = (handshakes.clone(), handler.clone());
                    let shutdown = shutdown.clone();
                    let connection = async move {
                        match handshakes {
                            Some(handshakes) => tls(stream, peer, handshakes, handler, shutdown).await,
                            None => tcp(stream, peer, handler, shutdown).await,
                        }
                        drop(place);
                    };
                    connections.spawn_on(connection, &runtime);
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            // Drop ended connections as they come.
            Some(_) = connections.join_next() => {}
            () = stopped(&mut shutdown) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Serves a TCP connection on this thread, once its handshake is done on another one.
async fn tls(
    stream: std::net::TcpStream,
    peer: Peer,
    handshakes: Handshakes,
    handler: impl Handler + Unpin,
    mut shutdown: watch::Receiver<bool>,
) {
    let secured = tokio::select! {
        secured = handshakes.secure(stream) => secured,
        () = stopped(&mut shutdown) => return,
    };
    match secured {
        Ok(secured) => {
            let identity = secured.identity;
            let peer = Peer { identity, ..peer };
            connection(secured.stream, peer, handler, shutdown).await;
        }
        Err(failure) => {
            tracing::debug!(peer = %peer.address, %failure, "connection did not become secure");
        }
    }
}

/// Serves a TCP connection on this thread.
async fn tcp(
    stream: std::net::TcpStream,
    peer: Peer,
    handler: impl Handler + Unpin,
    shutdown: watch::Receiver<bool>,
) {
    let peer_address = peer.address;
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(peer = %peer_address, %error, "a connection could not be served");
            return;
        }
    };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(peer = %peer_address, %error, "TCP_NODELAY cannot be set");
    }
    connection(stream, peer, handler, shutdown).await;
}

/// Serves HTTP/2 on any stream of bytes.
async fn connection<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    peer: Peer,
    handler: impl Handler + Unpin,
    mut shutdown: watch::Receiver<bool>,
) {
    let address = peer.address;
    // Keep-alive begins only after the preface.
    let opening = Connection::open(stream, Arc::new(peer), handler);
    let mut connection = tokio::select! {
        opened = timeout(PREFACE, opening) => match opened {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                tracing::debug!(peer = %address, %error, "connection ended before it spoke HTTP/2");
                return;
            }
            Err(_) => {
                tracing::debug!(peer = %address, "connection did not speak HTTP/2 in time");
                return;
            }
        },
        () = stopped(&mut shutdown) => return,
    };
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopped(&mut shutdown) => {
            drain(&mut connection).await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %address, %error, "connection ended");
    }
}

/// Lets a connection finish its requests.
async fn drain<S, H>(connection: &mut Connection<S, H>) -> Result<(), Ended>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler + Unpin,
{
    connection.finish();
    if let Ok(ended) = timeout(UNASKED_GRACE, &mut *connection).await {
        return ended;
    }
    if !connection.has_asked() {
        return Ok(());
    }
    while !connection.is_stuck() {
        if let Ok(ended) = timeout(UNREAD_GRACE, &mut *connection).await {
            return ended;
        }
    }
    Err(Ended::Unread)
}

/// Resolves when the server is to stop, or the sender is gone.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}
