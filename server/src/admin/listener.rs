//! Connections of the admin port after their handshakes, which run beside each other.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::server::TlsStream;

use crate::tls::{Handshakes, Identity, Secured};

/// The pause after a failed accept, for example without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who is at the other end of a secure connection.
#[derive(Debug, Clone)]
pub(super) struct Client {
    /// Whether it has shown a certificate, which is verified then.
    pub(super) is_verified: bool,
    pub(super) identity: Option<Identity>,
}

/// Accepts connections and does their handshakes.
#[derive(Debug)]
pub(super) struct SecureListener {
    tcp: TcpListener,
    handshakes: Handshakes,
    /// `None`: a handshake has failed.
    pending: JoinSet<Option<Secured>>,
}

impl SecureListener {
    pub(super) fn new(tcp: TcpListener, handshakes: Handshakes) -> Self {
        Self {
            tcp,
            handshakes,
            pending: JoinSet::new(),
        }
    }

    fn begin(&mut self, stream: std::net::TcpStream, peer: SocketAddr) {
        let handshakes = self.handshakes.clone();
        self.pending.spawn(async move {
            let secured = handshakes.secure(stream).await;
            let tell = |failure: &_| {
                tracing::debug!(%peer, %failure, "connection did not become secure");
            };
            secured.inspect_err(tell).ok()
        });
    }
}

impl Listener for SecureListener {
    type Io = TlsStream<TcpStream>;
    type Addr = Client;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                accepted = self.tcp.accept() => {
                    match accepted.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
                        Ok((stream, peer)) => self.begin(stream, peer),
                        Err(error) => {
                            tracing::warn!(%error, "a connection could not be accepted");
                            tokio::time::sleep(ACCEPT_PAUSE).await;
                        }
                    }
                }
                Some(done) = self.pending.join_next() => {
                    if let Ok(Some(secured)) = done {
                        let client = Client {
                            is_verified: secured.is_verified,
                            identity: secured.identity,
                        };
                        return (secured.stream, client);
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(Client {
            is_verified: false,
            identity: None,
        })
    }
}

impl Connected<IncomingStream<'_, SecureListener>> for Client {
    fn connect_info(stream: IncomingStream<'_, SecureListener>) -> Self {
        stream.remote_addr().clone()
    }
}
