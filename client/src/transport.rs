//! How one address is connected to: in plain text, over TLS or by a Unix socket.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tonic::{
    body::Body,
    codegen::http,
    transport::{Channel, Endpoint, Error, Uri},
};
use tower::{Service, service_fn, util::BoxCloneService};

use crate::{
    error,
    greeting::{Greeting, Refusal},
    tls::{Tls, handshake_failure},
};

/// The pause between pings on a connection with calls in flight: a server that vanished without a
/// word is noticed within this and the ping's own 20 s.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// Calls go through it: a connection of this SDK, or one of the caller's.
pub(crate) type Connection = BoxCloneService<http::Request<Body>, http::Response<Body>, BoxError>;

/// How connections are made.
pub(crate) struct Transport {
    connect_timeout: Duration,
    tls: Option<TlsConnector>,
    server_name: Option<String>,
}

/// An address, and whom requests name as the server there.
struct Peer {
    endpoint: Endpoint,
    name: Name,
}

enum Name {
    /// A Unix socket has none.
    Socket,
    /// For TLS: the name that the certificate must have.
    Host(Option<ServerName<'static>>),
}

/// A server that does not speak HTTP/2, or not with this client.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(String);

impl Transport {
    /// `secure` says whether there is an address of TLS.
    pub(crate) fn new(
        connect_timeout: Duration,
        tls: &Tls,
        secure: bool,
    ) -> Result<Self, error::Error> {
        let config = secure.then(|| tls.client_config()).transpose()?;
        Ok(Self {
            connect_timeout,
            tls: config.map(|it| Arc::new(it).into()),
            server_name: tls.server_name.clone(),
        })
    }

    /// Why an address cannot be one.
    pub(crate) fn check(&self, address: &str) -> Result<(), BoxError> {
        self.peer(address, address).map(drop)
    }

    /// Connects to `address`, where requests name `origin`. Both were checked.
    pub(crate) async fn connect(&self, address: &str, origin: &str) -> Result<Connection, Error> {
        let Peer { endpoint, name } = self.peer(address, origin).expect("it was checked");
        let refusal = Refusal::default();
        let channel = match name {
            Name::Socket => endpoint.connect().await?,
            Name::Host(name) => {
                let connector = self.connector(name, &refusal);
                endpoint.connect_with_connector(connector).await?
            }
        };
        Ok(boxed(channel, refusal))
    }

    /// As [`Self::connect`], with the first call.
    pub(crate) fn connect_lazy(&self, address: &str, origin: &str) -> Connection {
        let Peer { endpoint, name } = self.peer(address, origin).expect("it was checked");
        let refusal = Refusal::default();
        let channel = match name {
            Name::Socket => endpoint.connect_lazy(),
            Name::Host(name) => {
                endpoint.connect_with_connector_lazy(self.connector(name, &refusal))
            }
        };
        boxed(channel, refusal)
    }

    fn peer(&self, address: &str, origin: &str) -> Result<Peer, BoxError> {
        let is_socket = address.starts_with("unix:");
        let mut name = None;
        // TLS is made below tonic, which would refuse the scheme without TLS of its own.
        let mut plain = address.to_owned();
        if let Some(authority) = address.strip_prefix("https://") {
            let uri: Uri = address.parse()?;
            plain = match uri.port() {
                Some(_) => format!("http://{authority}"),
                None => format!("http://{authority}:443"),
            };
            let origin: Uri = origin.parse()?;
            let host = origin.host().unwrap_or_default();
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let host = self.server_name.as_deref().unwrap_or(host).to_owned();
            name = Some(ServerName::try_from(host)?);
        }
        let name = if is_socket {
            Name::Socket
        } else {
            Name::Host(name)
        };
        let mut endpoint = Endpoint::from_shared(plain)?
            .user_agent(concat!("quintet-client/", env!("CARGO_PKG_VERSION")))?
            .connect_timeout(self.connect_timeout)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL);
        if !is_socket {
            endpoint = endpoint.origin(origin.parse()?);
        }
        Ok(Peer { endpoint, name })
    }

    /// Connects over TCP, and over TLS with a name for the certificate.
    fn connector(
        &self,
        name: Option<ServerName<'static>>,
        refusal: &Refusal,
    ) -> impl Service<Uri, Response = TokioIo<Greeting>, Error = BoxError, Future: Send> + Send + use<>
    {
        let tls = name.zip(self.tls.clone());
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(self.connect_timeout));
        let refusal = refusal.clone();
        service_fn(move |address| {
            let (connecting, tls, refusal) = (tcp.call(address), tls.clone(), refusal.clone());
            async move {
                let stream = connecting.await?.into_inner();
                let Some((name, tls)) = tls else {
                    return Ok(TokioIo::new(Greeting::new(stream, refusal)));
                };
                let stream = tls.connect(name, stream).await;
                let stream = stream.map_err(handshake_failure)?;
                if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                    return Err("the server does not speak HTTP/2 (ALPN h2)".into());
                }
                Ok::<_, BoxError>(TokioIo::new(Greeting::new(stream, refusal)))
            }
        })
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("connect_timeout", &self.connect_timeout)
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

/// The reason of a refusal is told in place of what became of it.
fn boxed(channel: Channel, refusal: Refusal) -> Connection {
    use tower::ServiceExt as _;

    let told = move |error| match refusal.reason() {
        Some(reason) => Refused(reason).into(),
        None => BoxError::from(error),
    };
    BoxCloneService::new(channel.map_err(told))
}
