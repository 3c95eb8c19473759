//! How a connection begins and ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::connection::{Connection, Ended};
use super::register::{Bounds, Control};
use super::{Handler, Peer};

/// How long the end of a connection waits for a peer that has never sent a request.
const UNASKED_GRACE: Duration = Duration::from_millis(500);
/// How long it waits for a sign of life from a peer that has only to take its answers.
const UNREAD_GRACE: Duration = Duration::from_secs(2);
/// How long an idle connection has to acknowledge that it ends, when another needs its place.
const LEAVING_GRACE: Duration = Duration::from_millis(100);
/// How long a new connection may take for HTTP/2's preface.
const PREFACE: Duration = Duration::from_secs(20);

/// What ends a connection.
#[derive(Debug, Clone)]
pub(super) struct Ends {
    pub(super) shutdown: watch::Receiver<bool>,
    pub(super) control: Arc<Control>,
    pub(super) bounds: Bounds,
}

/// Serves HTTP/2 on any stream of bytes.
pub(super) async fn connection<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    peer: Arc<Peer>,
    handler: impl Handler + Unpin,
    mut ends: Ends,
) {
    let address = peer.address;
    let exchanges = Arc::clone(&ends.control.exchanges);
    // Keep-alive begins only after the preface.
    let opening = Connection::open(stream, peer, handler, exchanges);
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
        () = stopped(&mut ends.shutdown) => return,
        () = ends.control.make_room.notified() => return,
    };
    let ended = tokio::select! {
        // Without a random order, which costs more than most branches.
        biased;
        ended = &mut connection => ended,
        () = stopped(&mut ends.shutdown) => drain(&mut connection).await,
        () = aged(ends.bounds.max_age) => {
            let aged = timeout(ends.bounds.age_grace, drain(&mut connection));
            tokio::select! {
                ended = aged => ended.unwrap_or(Err(Ended::Aged)),
                () = stopped(&mut ends.shutdown) => drain(&mut connection).await,
            }
        }
        () = ends.control.make_room.notified() => {
            connection.finish();
            match timeout(LEAVING_GRACE, &mut connection).await {
                Ok(ended) => ended,
                Err(_) if ends.control.exchanges.are_none() => Ok(()),
                Err(_) => drain(&mut connection).await,
            }
        }
    };
    match ended {
        Ok(()) => {}
        Err(error @ Ended::Unread) => tracing::info!(peer = %address, %error, "connection ended"),
        Err(error) => tracing::debug!(peer = %address, %error, "connection ended"),
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
pub(super) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

/// Resolves when a connection is to end. A tenth more or less, so that connections that began
/// together do not come again together.
async fn aged(max_age: Option<Duration>) {
    let Some(max_age) = max_age else {
        return std::future::pending().await;
    };
    let share = f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX);
    sleep(max_age.mul_f64(0.9 + share / 5.0)).await;
}
