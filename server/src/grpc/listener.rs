//! The accept loop: HTTP/2 connections, each a task, ended in order at shutdown.
//!
//! tonic's own server would answer a passed `grpc-timeout` with CANCELLED before the core can say DEADLINE_EXCEEDED,
//! and waits for its connections without limit. hyper below it does neither.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Observe;
use crate::io_threads::IoThreads;

/// Bytes that a caller may have under way on one stream; HTTP/2's own default of 65,535 makes an image wait.
const STREAM_WINDOW: u32 = 1 << 20;
/// Bytes that a caller may have under way on one connection.
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Requests that may be open at once on one connection.
const MAX_CONCURRENT_STREAMS: u32 = 1024;
/// A connection that has been silent for so long is asked for a sign of life, and ended after as long again.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// How long a connection may still take, at shutdown, that has never asked for anything: it may not speak HTTP/2 at all.
const SILENT_GRACE: Duration = Duration::from_millis(500);
/// How long a new connection may take to say its first byte.
const FIRST_BYTE: Duration = Duration::from_secs(20);
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
    // A connection that never speaks would be kept for ever: HTTP/2's own signs of life begin with its first bytes.
    tokio::select! {
        spoken = tokio::time::timeout(FIRST_BYTE, stream.readable()) => {
            if spoken.is_err() {
                tracing::debug!(%peer, "connection said nothing");
                return;
            }
        }
        () = told(&mut shutdown) => return,
    }
    let asked = Arc::new(AtomicBool::new(false));
    let service = {
        let asked = Arc::clone(&asked);
        service_fn(move |request| {
            asked.store(true, Ordering::Relaxed);
            // Boxed, because hyper moves it about and it is large.
            Box::pin(service.clone().call(request))
        })
    };
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut shutdown) => {
            // Tells the caller to open no new streams here, and finishes those that are open.
            connection.as_mut().graceful_shutdown();
            if asked.load(Ordering::Relaxed) {
                connection.await
            } else {
                let in_time = tokio::time::timeout(SILENT_GRACE, connection.as_mut()).await;
                match in_time {
                    Ok(ended) => ended,
                    // It has spoken up in the meantime.
                    Err(_) if asked.load(Ordering::Relaxed) => connection.await,
                    Err(_) => Ok(()),
                }
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
