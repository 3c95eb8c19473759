//! Handshakes, on threads of their own.
//!
//! A signature with an RSA key takes about a millisecond, in which an I/O thread would answer a
//! hundred requests. The few threads of this module also bound how much of the machine a flood of
//! handshakes can take. Each port has its own, and within a port addresses take turns, so a flood
//! at one port, or from one address, holds up no other.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::server::Acceptor;
use rustls::{AlertDescription, Error as TlsError, InvalidMessage};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinSet, block_in_place};
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::turns::Turns;
use super::{Credentials, Identity, Port};
use crate::metrics::Metrics;

/// How long a handshake may take, from the first byte to the last.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// Cores for each thread of handshakes at the gRPC port; the admin port has one thread.
const CORES_PER_THREAD: usize = 4;

/// The fatal alert `no_application_protocol` (RFC 7301) as a whole record.
const NO_APPLICATION_PROTOCOL: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 120];

/// The threads that do the handshakes of a port.
#[derive(Debug)]
struct Threads {
    runtime: Option<Runtime>,
    /// As many at once as there are threads.
    turns: Arc<Turns>,
}

/// Makes a port's connections secure.
#[derive(Debug, Clone)]
pub(crate) struct Handshakes {
    threads: Arc<Threads>,
    credentials: Arc<Credentials>,
    metrics: Metrics,
}

/// A connection after its handshake, and its client's identity.
#[derive(Debug)]
pub(crate) struct Secured {
    pub(crate) stream: TlsStream<TcpStream>,
    /// `None`: the client has shown no certificate, or one without a name.
    pub(crate) identity: Option<Identity>,
    /// Whether the client has shown a certificate.
    pub(crate) is_verified: bool,
}

/// Why a connection did not become secure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the peer does not speak TLS")]
    NotTls,
    #[error("the client does not offer ALPN h2, which gRPC needs")]
    NoAlpn,
    #[error("the client has shown no certificate")]
    NoCertificate,
    #[error("the client's certificate is refused: {0}")]
    BadCertificate(TlsError),
    #[error("the client refuses this server: {0:?}")]
    Refused(AlertDescription),
    #[error(
        "the handshake has taken longer than {}",
        humantime::format_duration(LIMIT)
    )]
    Slow,
    #[error("{0}")]
    Tls(TlsError),
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Threads {
    fn start(port: Port, cores: usize) -> io::Result<Self> {
        let count = match port {
            Port::Grpc => cores.div_ceil(CORES_PER_THREAD),
            Port::Admin => 1,
        };
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .thread_name("handshake")
            .worker_threads(count)
            .build()?;
        Ok(Self {
            runtime: Some(runtime),
            turns: Turns::new(count),
        })
    }

    fn handle(&self) -> &Handle {
        let runtime = self.runtime.as_ref();
        runtime
            .expect("the threads run until they are dropped")
            .handle()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // A runtime may not wait for its threads on a thread of another one.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Handshakes {
    /// Starts the threads of a port. `cores` is how many cores the machine has.
    ///
    /// # Errors
    /// The operating system cannot start a thread.
    pub(crate) fn start(
        credentials: Arc<Credentials>,
        cores: usize,
        metrics: Metrics,
    ) -> io::Result<Self> {
        Ok(Self {
            threads: Arc::new(Threads::start(credentials.port(), cores)?),
            credentials,
            metrics,
        })
    }

    /// Where its handshakes are done.
    #[cfg(test)]
    pub(super) fn handle(&self) -> &Handle {
        self.threads.handle()
    }

    /// Does the handshake of a new connection. The stream belongs to the runtime of the caller,
    /// which only waits. Dropping the future ends the connection.
    ///
    /// # Errors
    /// [`Failure`], which the metrics count.
    pub(crate) async fn secure(&self, stream: std::net::TcpStream) -> Result<Secured, Failure> {
        let credentials = Arc::clone(&self.credentials);
        let turns = Arc::clone(&self.threads.turns);
        // A set ends its task when it is dropped.
        let mut task = JoinSet::new();
        let handshake = async move { within_limit(stream, &credentials, &turns).await };
        task.spawn_on(handshake, self.threads.handle());
        let secured = match task.join_next().await {
            Some(Ok(secured)) => secured,
            _ => Err(Failure::Io(io::ErrorKind::Interrupted.into())),
        };
        let moved = secured.and_then(|mut secured| {
            move_here(secured.stream.get_mut().0)?;
            Ok(secured)
        });
        moved.inspect_err(|failure| {
            let port = self.credentials.port().name();
            self.metrics.handshake_failed(port, failure.reason());
        })
    }
}

/// Does a handshake in the time that it may take.
pub(super) async fn within_limit(
    stream: std::net::TcpStream,
    credentials: &Credentials,
    turns: &Arc<Turns>,
) -> Result<Secured, Failure> {
    let handshake = handshake(stream, credentials, turns);
    timeout(LIMIT, handshake)
        .await
        .unwrap_or(Err(Failure::Slow))
}

async fn handshake(
    stream: std::net::TcpStream,
    credentials: &Credentials,
    turns: &Arc<Turns>,
) -> Result<Secured, Failure> {
    let stream = TcpStream::from_std(stream)?;
    let address = stream.peer_addr()?.ip();
    // The messages of a handshake are small, and each side waits for the other's.
    let _ = stream.set_nodelay(true);
    let mut start = LazyConfigAcceptor::new(Acceptor::default(), stream)
        .await
        .map_err(Failure::of)?;
    if credentials.port() == Port::Grpc {
        let offered = start.client_hello().alpn();
        let offers_h2 = offered.is_some_and(|mut names| names.any(|name| name == b"h2"));
        if !offers_h2 {
            // rustls goes on without a protocol if the client has offered none.
            let _ = start.io.write_all(&NO_APPLICATION_PROTOCOL).await;
            return Err(Failure::NoAlpn);
        }
    }
    let accepting = async { start.into_stream(credentials.config()).await };
    let stream = in_turns(accepting, turns, address).await;
    let stream = stream.map_err(Failure::of)?;
    let certificates = stream.get_ref().1.peer_certificates();
    let certificate = certificates.and_then(|chain| chain.first());
    Ok(Secured {
        identity: certificate.and_then(Identity::of),
        is_verified: certificate.is_some(),
        stream,
    })
}

/// Does each step of a handshake in a turn of the peer's address. It waits for the peer without.
/// The runtime goes on meanwhile, so that others' messages are read, and their turns are asked for.
pub(super) async fn in_turns<F: Future>(
    steps: F,
    turns: &Arc<Turns>,
    address: IpAddr,
) -> F::Output {
    let mut steps = pin!(steps);
    loop {
        let turn = turns.take(address).await;
        let mut step = |context: &mut Context<'_>| steps.as_mut().poll(context);
        let step = poll_fn(|context| Poll::Ready(block_in_place(|| step(context)))).await;
        drop(turn);
        match step {
            Poll::Ready(output) => return output,
            Poll::Pending => woken().await,
        }
    }
}

/// Resolves when the task is polled again, by what it has waited for before.
async fn woken() {
    let mut is_first = true;
    poll_fn(|_| {
        if std::mem::take(&mut is_first) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
}

/// Moves a socket to the runtime of this thread, so that no other thread has a part in its I/O.
fn move_here(stream: &mut TcpStream) -> io::Result<()> {
    let duplicate = std::net::TcpStream::from(stream.as_fd().try_clone_to_owned()?);
    *stream = TcpStream::from_std(duplicate)?;
    Ok(())
}

impl Failure {
    fn of(error: io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
        match tls {
            Some(TlsError::InvalidMessage(InvalidMessage::InvalidContentType)) => Self::NotTls,
            Some(TlsError::NoCertificatesPresented) => Self::NoCertificate,
            Some(error @ TlsError::InvalidCertificate(_)) => Self::BadCertificate(error.clone()),
            Some(TlsError::NoApplicationProtocol) => Self::NoAlpn,
            Some(TlsError::AlertReceived(alert)) => Self::Refused(*alert),
            Some(error) => Self::Tls(error.clone()),
            None => Self::Io(error),
        }
    }

    /// A label of the metrics.
    fn reason(&self) -> &'static str {
        match self {
            Self::NotTls => "not_tls",
            Self::NoAlpn => "no_alpn",
            Self::NoCertificate => "no_certificate",
            Self::BadCertificate(_) => "bad_certificate",
            Self::Refused(_) => "refused_by_client",
            Self::Slow => "timeout",
            Self::Tls(_) => "protocol",
            Self::Io(_) => "disconnected",
        }
    }
}
