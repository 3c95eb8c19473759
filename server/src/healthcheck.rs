//! `quintet-server healthcheck`: asks a running server's `/readyz`, for containers without a shell.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::tls;

/// Time limit of the check. It is below Docker's own limit, so that the reason is printed.
const LIMIT: Duration = Duration::from_secs(2);

/// Most bytes that are read of a response. Reasons for not being ready take some lines.
const LONGEST_ANSWER: u64 = 64 << 10;

/// Why a server does not count as ready.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unready {
    /// There is no response.
    #[error("no answer from {address}: {source}")]
    NoAnswer {
        /// Where it was asked.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The response is not HTTP/1.1.
    #[error("{0} does not speak HTTP")]
    NotHttp(SocketAddr),
    /// It is loading its models, draining, or a model failed.
    #[error("not ready: {0}")]
    NotReady(String),
}

/// Asks the server whose HTTP endpoints listen at `listen` whether it is ready, over TLS if
/// `is_secure`.
///
/// # Errors
/// [`Unready`], with the server's own reasons where it gave some.
pub fn ask(listen: SocketAddr, is_secure: bool) -> Result<(), Unready> {
    let address = reachable(listen);
    let answer = get(address, is_secure, "/readyz")
        .map_err(|source| Unready::NoAnswer { address, source })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let mut status_line = head.lines().next().unwrap_or_default().split(' ');
    match (status_line.next(), status_line.next()) {
        (Some("HTTP/1.1"), Some("200")) => Ok(()),
        (Some("HTTP/1.1"), Some(_)) => {
            let reasons: Vec<&str> = body.trim().lines().collect();
            Err(Unready::NotReady(reasons.join("; ")))
        }
        _ => Err(Unready::NotHttp(address)),
    }
}

/// The address to connect to: loopback if the server listens on all addresses.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

/// The headers and body of one HTTP/1.1 response. The server closes the connection after it.
fn get(address: SocketAddr, is_secure: bool, path: &str) -> io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let exchange = async {
        let stream = TcpStream::connect(address).await?;
        if is_secure {
            exchange(
                tls::connect_unverified(stream, address.ip()).await?,
                &request,
            )
            .await
        } else {
            exchange(stream, &request).await
        }
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { timeout(LIMIT, exchange).await? })
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &str,
) -> io::Result<String> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut stream = stream.take(LONGEST_ANSWER);
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// The address of a server that gives this response to one connection.
    fn answering(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            assert!(request.starts_with(b"GET /readyz HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    #[test]
    fn only_200_is_ready() {
        ask(answering("HTTP/1.1 200 OK\r\n\r\nready\n"), false).unwrap();
        let unready =
            answering("HTTP/1.1 503 Service Unavailable\r\n\r\ncnn: broken\nmlp: loading\n");
        let error = ask(unready, false).unwrap_err();
        assert_eq!(error.to_string(), "not ready: cnn: broken; mlp: loading");
    }

    #[test]
    fn other_servers_are_recognised() {
        for answer in ["", "SSH-2.0-OpenSSH_9.2\r\n"] {
            let error = ask(answering(answer), false).unwrap_err();
            assert!(matches!(error, Unready::NotHttp(_)), "{error}");
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let nobody = listener.local_addr().unwrap();
        drop(listener);
        let error = ask(nobody, false).unwrap_err();
        assert!(matches!(error, Unready::NoAnswer { .. }), "{error}");
    }

    #[test]
    fn a_wildcard_address_is_asked_on_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:9464", "127.0.0.1:9464"),
            ("[::]:9464", "[::1]:9464"),
            ("10.1.2.3:80", "10.1.2.3:80"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
