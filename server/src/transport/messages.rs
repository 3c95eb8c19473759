//! Messages in the frames of HTTP/2 (gRPC over HTTP/2, "Length-Prefixed-Message").
//!
//! tonic carries every call as a pair of streams behind a router, with buffers of their own. For a
//! small request that costs as much as everything else. Here the message of a unary call is the
//! frame that it came in, without a copy.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use h2::RecvStream;

use super::budget::{Budget, Charge, Exceeded};
use super::exchanges::Exchanges;
use super::inbox::Inbox;

/// The compression flag and the length, before each message.
pub(crate) const PREFIX: usize = 5;

/// What a message may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowed {
    /// The most bytes.
    pub(crate) size: usize,
    /// Whether it may be compressed: the request has an encoding.
    pub(crate) compressed: bool,
}

/// The body of a request. Its trailers have no meaning.
#[derive(Debug)]
pub(crate) struct Incoming {
    body: RecvStream,
    /// Of its connection.
    exchanges: Arc<Exchanges>,
}

/// Why a body gives no message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("cannot be read: {0}")]
    Http(#[from] h2::Error),
    #[error("cannot be read: its compression flag is 1; 0 is needed without a grpc-encoding")]
    Compressed,
    #[error("cannot be read: its compression flag is {0}; 0 and 1 are allowed")]
    Flag(u8),
    #[error("cannot be decompressed ({encoding}): {reason}")]
    Broken {
        encoding: &'static str,
        reason: String,
    },
    #[error("is too large; at most {0} bytes (max_message_size) are allowed")]
    TooLarge(usize),
    #[error(
        "is {compressed} bytes that become more than {limit}; send what is so compressible \
         without compression"
    )]
    TooDense { compressed: usize, limit: usize },
    #[error("cannot be read: more than one message came")]
    MoreThanOne,
    #[error("cannot be read: the body ends after {0} bytes")]
    EndsEarly(usize),
    #[error(transparent)]
    NoRoom(#[from] Exceeded),
}

impl Incoming {
    pub(super) fn new(body: RecvStream, exchanges: Arc<Exchanges>) -> Self {
        Self { body, exchanges }
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// [`Unreadable::Http`]: the caller has left, or breaks the protocol.
    pub(crate) async fn data(&mut self) -> Result<Option<Bytes>, Unreadable> {
        loop {
            let mut waiting = None;
            let data = poll_fn(|context| {
                let data = self.body.poll_data(context);
                if data.is_pending() {
                    waiting.get_or_insert_with(|| self.exchanges.wait());
                }
                data
            });
            let Some(data) = data.await.transpose()? else {
                return Ok(None);
            };
            drop(waiting);
            self.body.flow_control().release_capacity(data.len())?;
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }

    /// Reads to the end: the one message, with its prefix. The budget is charged as long as the
    /// message is worked on.
    ///
    /// # Errors
    /// There is not exactly one message, it is too large, or the budget is used up.
    pub(crate) async fn only_message(
        mut self,
        allowed: Allowed,
        budget: Budget,
    ) -> Result<(Bytes, Charge), Unreadable> {
        let mut charge = budget.begin();
        let mut whole = self.data().await?.unwrap_or_default();
        charge.set(whole.len())?;
        let mut needed = only_length(&whole, allowed)?;
        // Most messages come in one frame.
        if let Some(mut part) = self.data().await? {
            let mut parts = BytesMut::from(whole);
            loop {
                charge.check(needed.unwrap_or_default())?;
                charge.set(parts.len() + part.len())?;
                parts.extend_from_slice(&part);
                needed = only_length(&parts, allowed)?;
                match self.data().await? {
                    Some(next) => part = next,
                    None => break,
                }
            }
            whole = parts.freeze();
        }
        if needed != Some(whole.len()) {
            return Err(Unreadable::EndsEarly(whole.len()));
        }
        Ok((whole, charge))
    }

    /// The messages of a stream.
    pub(crate) fn into_inbox(self, budget: Budget) -> Inbox {
        Inbox::new(self.body, budget.begin())
    }
}

/// The bytes of the first prefix and message of a body together; `None`: the prefix has not come
/// whole yet.
pub(super) fn length(body: &[u8], allowed: Allowed) -> Result<Option<usize>, Unreadable> {
    let [flag, a, b, c, d, ..] = *body else {
        return Ok(None);
    };
    match flag {
        0 => {}
        1 if allowed.compressed => {}
        1 => return Err(Unreadable::Compressed),
        flag => return Err(Unreadable::Flag(flag)),
    }
    let message = u32::from_be_bytes([a, b, c, d]) as usize;
    if message > allowed.size {
        return Err(Unreadable::TooLarge(allowed.size));
    }
    Ok(Some(PREFIX + message))
}

/// The [`length`] of the only message of a body.
fn only_length(body: &[u8], allowed: Allowed) -> Result<Option<usize>, Unreadable> {
    let length = length(body, allowed)?;
    if length.is_some_and(|length| body.len() > length) {
        return Err(Unreadable::MoreThanOne);
    }
    Ok(length)
}
