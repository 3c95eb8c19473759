//! The accept loop: HTTP/2 connections, each a task, with a graceful shutdown.
//!
//! tonic's own server answers a passed `grpc-timeout` with CANCELLED before the core can say
//! DEADLINE_EXCEEDED, and waits for its connections without limit. h2 does neither.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Router;
use super::connection::Connection;
use crate::io_threads::IoThreads;

/// How long a shutdown waits for a connection that has never sent a request.
const SILENT_GRACE: Duration = Duration::from_millis(500);
/// How long a new connection may take for HTTP/2's preface.
const PREFACE: Duration = Duration::from_secs(20);
/// The pause after a failed accept, for example without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown` is true, then lets the open connections finish their requests. Returns
/// when the last has ended. Dropping the future ends them all.
pub(crate) async fn serve(
    listener: TcpListener,
    io_threads: IoThreads,
    router: Router,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
                Ok((stream, peer)) => {
                    let place = io_threads.place();
                    let runtime = Handle::clone(&place);
                    let connection = connection(stream, peer, router.clone(), shutdown.clone());
                    let connection = async move {
                        connection.await;
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

async fn connection(
    stream: std::net::TcpStream,
    peer: SocketAddr,
    router: Router,
    mut shutdown: watch::Receiver<bool>,
) {
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%peer, %error, "a connection could not be served");
            return;
        }
    };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "TCP_NODELAY cannot be set");
    }
    // Keep-alive begins only after the preface.
    let opening = Connection::open(stream, move |request| router.call(request));
    let mut connection = tokio::select! {
        opened = tokio::time::timeout(PREFACE, opening) => match opened {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                tracing::debug!(%peer, %error, "connection ended before it spoke HTTP/2");
                return;
            }
            Err(_) => {
                tracing::debug!(%peer, "connection did not speak HTTP/2 in time");
                return;
            }
        },
        () = stopped(&mut shutdown) => return,
    };
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopped(&mut shutdown) => {
            connection.finish();
            match tokio::time::timeout(SILENT_GRACE, &mut connection).await {
                Ok(ended) => ended,
                Err(_) if connection.has_asked() => connection.await,
                Err(_) => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection ended");
    }
}

/// Resolves when the server is to stop, or the sender is gone.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}
