//! The accept loop: HTTP/2 connections, each a task, ended in order at shutdown.
//!
//! tonic's own server would answer a passed `grpc-timeout` with CANCELLED before the core can say DEADLINE_EXCEEDED,
//! and waits for its connections without limit. What it is made of, h2, does neither.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Observe;
use super::connection::Connection;
use crate::io_threads::IoThreads;

/// How long a connection may still take, at shutdown, that has never asked for anything: it may not speak HTTP/2 at all.
const SILENT_GRACE: Duration = Duration::from_millis(500);
/// How long a new connection may take to say that it speaks HTTP/2.
const PREFACE: Duration = Duration::from_secs(20);
/// How long to leave a listener alone that cannot accept, as when file descriptors are short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown` says true, then lets the open connections finish their requests. Returns when the last has
/// ended; drop it to end them all.
pub(crate) async fn serve(
    listener: TcpListener,
    io_threads: IoThreads,
    service: Observe,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
                Ok((stream, peer)) => {
                    let place = io_threads.place();
                    let runtime = place.runtime.clone();
                    let connection = connection(stream, peer, service.clone(), shutdown.clone());
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
            // Ended connections are let go as they come.
            Some(_) = connections.join_next() => {}
            () = told(&mut shutdown) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(
    stream: std::net::TcpStream,
    peer: SocketAddr,
    service: Observe,
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
    // One that never speaks would be kept for ever: signs of life are asked for once it has spoken HTTP/2.
    let opening = Connection::open(stream, move |request| service.call(request));
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
        () = told(&mut shutdown) => return,
    };
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = told(&mut shutdown) => {
            connection.finish();
            if !connection.has_asked()
                && let Ok(ended) = tokio::time::timeout(SILENT_GRACE, &mut connection).await
            {
                ended
            } else if connection.has_asked() {
                connection.await
            } else {
                Ok(())
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection ended");
    }
}

/// Resolves when the server is told to stop, or nobody is left to tell it.
async fn told(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}
