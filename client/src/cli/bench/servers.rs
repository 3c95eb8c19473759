//! The servers that connections are opened to, in turn.

use std::{cell::Cell, io, net::SocketAddr, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use quintet_client::Client;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream, lookup_host},
};
use tokio_rustls::TlsConnector;

use crate::{
    connection::{ConnectionArgs, Kind},
    failure::Failure,
};

/// Bytes to a server and back.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

/// Servers, and what each call to them says in its headers.
pub(super) struct Servers {
    /// `http://`, `https://` or `unix://`; of a name, each address is a server.
    urls: Vec<String>,
    is_name: bool,
    next: Cell<usize>,
    /// For those over TLS.
    tls: Option<TlsConnector>,
    server_name: Option<String>,
    /// How messages are compressed.
    pub(super) compression: Option<Kind>,
    /// The token, the metadata and the compression.
    pub(super) headers: HeaderMap,
}

impl Servers {
    /// The servers of a client that was made with these options.
    pub(super) fn new(client: &Client, connection: &ConnectionArgs) -> Result<Self, Failure> {
        let tls = connection.tls()?;
        let name = client.address().strip_prefix("dns:///");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let urls: Vec<_> = match name {
            Some(name) => vec![format!("{scheme}://{name}")],
            None => client.address().split(',').map(str::to_owned).collect(),
        };
        let is_tls = urls.iter().any(|url| url.starts_with("https://"));
        let config = is_tls.then(|| tls.unwrap_or_default().client_config());
        let config = config
            .transpose()
            .map_err(Failure::of_call(client.address()))?;
        let mut headers = client.headers();
        if let Some(Kind::Gzip) = connection.compression {
            for name in ["grpc-encoding", "grpc-accept-encoding"] {
                let name = HeaderName::from_static(name);
                headers.insert(name, HeaderValue::from_static("gzip"));
            }
        }
        Ok(Self {
            compression: connection.compression,
            urls,
            is_name: name.is_some(),
            next: Cell::new(0),
            tls: config.map(|it| Arc::new(it).into()),
            server_name: connection.tls_server_name.clone(),
            headers,
        })
    }

    /// Connects to the next server, and gives the URL that calls name it by.
    pub(super) async fn connect(&self) -> io::Result<(Box<dyn Io>, Uri)> {
        let turn = self.next.get();
        self.next.set(turn + 1);
        let url = &self.urls[turn % self.urls.len()];
        if let Some(path) = url.strip_prefix("unix://") {
            let stream = UnixStream::connect(path).await?;
            return Ok((Box::new(stream), Uri::from_static("http://localhost")));
        }
        let uri: Uri = url.parse().map_err(io::Error::other)?;
        let tls = self.tls.as_ref().filter(|_| url.starts_with("https://"));
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri
            .port_u16()
            .unwrap_or(if tls.is_some() { 443 } else { 80 });
        let addresses: Vec<SocketAddr> = lookup_host((host, port)).await?.collect();
        let addresses = match turn.checked_rem(addresses.len()) {
            Some(place) if self.is_name => &addresses[place..=place],
            _ => &addresses,
        };
        let stream = TcpStream::connect(addresses).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = tls else {
            return Ok((Box::new(stream), uri));
        };
        let name = self.server_name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        let stream = tls.connect(name, stream).await?;
        Ok((Box::new(stream), uri))
    }
}
