//! The messages of a request's stream.
//!
//! h2 keeps every frame until it is taken, at a cost of its own. So frames are taken as they come,
//! also while no message is wanted. Their bytes give room in the caller's window only when their
//! messages are taken: flow control holds the caller back.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use futures_util::stream::Stream;
use h2::RecvStream;

use super::budget::Charge;
use super::messages::{Allowed, Unreadable, length};
use crate::lock::lock;

/// The frames of a request that have come and are not taken. Its clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Inbox(Arc<Mutex<State>>);

/// Its messages, each with its prefix and its charge.
#[derive(Debug)]
pub(crate) struct Messages {
    inbox: Inbox,
    allowed: Allowed,
}

#[derive(Debug)]
struct State {
    body: RecvStream,
    buffer: BytesMut,
    /// Bytes that have not given their room in the caller's window back.
    held: usize,
    /// For the bytes of the buffer.
    charge: Charge,
    /// How the body has ended.
    end: Option<Result<(), Unreadable>>,
    /// A task that waits for bytes. It may not be the one that fills.
    reader: Option<Waker>,
}

impl Inbox {
    pub(super) fn new(body: RecvStream, charge: Charge) -> Self {
        Self(Arc::new(Mutex::new(State {
            body,
            buffer: BytesMut::new(),
            held: 0,
            charge,
            end: None,
            reader: None,
        })))
    }

    /// Takes the frames that have come, and wakes the task that reads them, if it is another one.
    pub(crate) fn fill(&self, context: &mut Context<'_>) {
        let mut state = lock(&self.0);
        let had = (state.buffer.len(), state.end.is_some());
        state.fill(context);
        if had != (state.buffer.len(), state.end.is_some())
            && let Some(reader) = state.reader.take()
        {
            reader.wake();
        }
    }

    /// Wakes this task when bytes come, also when another one takes them over.
    pub(crate) fn wake_on_input(&self, context: &Context<'_>) {
        lock(&self.0).reader = Some(context.waker().clone());
    }

    /// The messages.
    pub(crate) fn messages(self, allowed: Allowed) -> Messages {
        Messages {
            inbox: self,
            allowed,
        }
    }
}

impl State {
    fn fill(&mut self, context: &mut Context<'_>) {
        while self.end.is_none() {
            match self.body.poll_data(context) {
                Poll::Ready(Some(Ok(data))) => {
                    let bytes = self.buffer.len() + data.len();
                    if let Err(exceeded) = self.charge.set(bytes) {
                        self.end = Some(Err(exceeded.into()));
                        return;
                    }
                    self.held += data.len();
                    self.buffer.extend_from_slice(&data);
                }
                Poll::Ready(Some(Err(error))) => self.end = Some(Err(error.into())),
                Poll::Ready(None) => self.end = Some(Ok(())),
                Poll::Pending => return,
            }
        }
    }

    /// Takes the first message, if it has come whole.
    fn take(&mut self, allowed: Allowed) -> Result<Option<(Bytes, Charge)>, Unreadable> {
        let length = length(&self.buffer, allowed)?;
        let length = length.filter(|length| *length <= self.buffer.len());
        let message = length.map(|length| {
            let message = self.buffer.split_to(length).freeze();
            (message, self.charge.split(length))
        });
        // What is still there belongs to a message that waits, or to one that needs more room.
        let kept = if message.is_some() {
            self.held.min(self.buffer.len())
        } else {
            0
        };
        self.release(kept)?;
        Ok(message)
    }

    /// Gives room in the caller's window, but for `kept` bytes.
    fn release(&mut self, kept: usize) -> Result<(), Unreadable> {
        let released = std::mem::replace(&mut self.held, kept) - kept;
        if released > 0 {
            self.body.flow_control().release_capacity(released)?;
        }
        Ok(())
    }
}

impl Stream for Messages {
    type Item = Result<(Bytes, Charge), Unreadable>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = lock(&self.inbox.0);
        loop {
            match state.take(self.allowed) {
                Ok(Some(message)) => return Poll::Ready(Some(Ok(message))),
                Ok(None) => {}
                Err(why) => return Poll::Ready(Some(Err(why))),
            }
            if let Some(end) = &mut state.end {
                let end = std::mem::replace(end, Ok(()));
                let left = state.buffer.len();
                return Poll::Ready(match end {
                    Err(error) => Some(Err(error)),
                    Ok(()) if left == 0 => None,
                    Ok(()) => {
                        state.buffer.clear();
                        Some(Err(Unreadable::EndsEarly(left)))
                    }
                });
            }
            let before = state.buffer.len();
            state.fill(context);
            if state.buffer.len() == before && state.end.is_none() {
                return Poll::Pending;
            }
        }
    }
}
