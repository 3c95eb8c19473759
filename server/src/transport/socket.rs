//! A stream of bytes whose input is watched before h2 reads it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::Frames;

/// The most bytes that are read before the answers on a connection get their turn. h2 would read
/// all that has come, and keeps each frame until its request's task takes it.
pub(super) const READ_AT_ONCE: usize = 128 << 10;

/// A socket that tells its [`Watch`] what comes from it.
#[derive(Debug)]
pub(super) struct Socket<S> {
    stream: S,
    frames: Frames,
    watch: Arc<Watch>,
}

/// What a connection knows of its socket.
#[derive(Debug, Default)]
pub(super) struct Watch {
    is_alive: AtomicBool,
    /// Bytes that may still be read in this turn.
    allowance: AtomicUsize,
}

impl<S> Socket<S> {
    pub(super) fn new(stream: S, watch: Arc<Watch>) -> Self {
        Self {
            stream,
            frames: Frames::new(),
            watch,
        }
    }
}

impl Watch {
    /// Whether a sign of life has come since the last call.
    pub(super) fn take_sign_of_life(&self) -> bool {
        self.is_alive.swap(false, Ordering::Relaxed)
    }

    /// A new turn begins.
    pub(super) fn begin_turn(&self) {
        self.allowance.store(READ_AT_ONCE, Ordering::Relaxed);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let left = this.watch.allowance.load(Ordering::Relaxed);
        if left == 0 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(context, buffer);
        let new = &mut buffer.filled_mut()[before..];
        if !new.is_empty() {
            let left = left.saturating_sub(new.len());
            this.watch.allowance.store(left, Ordering::Relaxed);
            if this.frames.walk(new) {
                this.watch.is_alive.store(true, Ordering::Relaxed);
            }
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
