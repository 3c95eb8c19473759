//! The first that comes from a server: whether it speaks HTTP/2, and why it does not.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::tls::handshake_failure;

/// Why a server's last connection had no greeting; HTTP/2's layers may lose the reason.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusal(Arc<Mutex<Option<String>>>);

/// Bytes to a server and back.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection whose first bytes are looked at.
pub(crate) struct Greeting {
    io: Box<dyn Io>,
    heard: bool,
    refusal: Refusal,
}

impl Refusal {
    pub(crate) fn reason(&self) -> Option<String> {
        let reason = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reason.clone()
    }

    fn set(&self, reason: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}

impl Greeting {
    pub(crate) fn new(io: impl Io + 'static, refusal: Refusal) -> Self {
        Self {
            io: Box::new(io),
            heard: false,
            refusal,
        }
    }

    fn refused(&self, error: io::Error) -> io::Error {
        // What the operating system says is that the connection was lost.
        if error.get_ref().is_some() {
            self.refusal.set(Some(error.to_string()));
        }
        error
    }
}

impl AsyncRead for Greeting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = bytes.filled().len();
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, bytes));
        if self.heard {
            return Poll::Ready(read);
        }
        if let Err(error) = read {
            return Poll::Ready(Err(self.refused(handshake_failure(error))));
        }
        if let Some(first) = bytes.filled().get(before) {
            self.heard = true;
            // The length of a SETTINGS frame; TLS's alerts and HTTP/1 begin otherwise.
            if *first != 0 {
                let error = "the server does not answer in HTTP/2; https:// is for TLS";
                return Poll::Ready(Err(self.refused(io::Error::other(error))));
            }
            self.refusal.set(None);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Greeting {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, slices));
        Poll::Ready(match written {
            // The server has closed the connection, and reading says why.
            Err(_) if !self.heard => Ok(slices.iter().map(|it| it.len()).sum()),
            written => written,
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.io).poll_flush(cx));
        Poll::Ready(if self.heard { flushed } else { Ok(()) })
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
