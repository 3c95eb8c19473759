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

/// The pause after a failed accept, for example without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown` is true, then lets the open connections finish their requests. Returns
/// when the last has ended. Dropping the future ends them all.
pub(crate) async fn serve(
    listener: TcpListener,
    io_threads: IoThreads,
    handler: impl Handler + Clone + Unpin + Send + 'static,
    bounds: Bounds,
    mut shutdown: watch::Receiver<bool>,
) {
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
                let peer = Arc::new(Peer { address });
                let connection = tcp(stream, peer, handler.clone(), ends);
                let connection = async move {
                    connection.await;
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

/// Serves a TCP connection on this thread.
async fn tcp(
    stream: std::net::TcpStream,
    peer: Arc<Peer>,
    handler: impl Handler + Unpin,
    ends: Ends,
) {
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
    connection(stream, peer, handler, ends).await;
}
