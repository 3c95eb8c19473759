//! The caller's requests on their way out, taken by the connection's task.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use futures_util::{
    StreamExt as _,
    future::{Either, select},
};
use prost::Message as _;
use quintet_proto::v1 as wire;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc::UnboundedSender},
    time::Instant,
};
use tokio_stream::Stream;

use crate::{
    classify::ClassifyRequest,
    error::{Error, Failure},
};

/// Requests that may be under way: twice what a server has under way on a stream, so that it finds
/// the next one waiting.
const WINDOW: usize = 512;

/// A request that was taken from the caller.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) index: u64,
    pub(super) images: usize,
    pub(super) at: Instant,
    /// Why it is not sent.
    pub(super) refused: Option<Error>,
    /// Its place in the window, which is free again when this is dropped.
    _permit: OwnedSemaphorePermit,
}

/// The caller's requests, and what is known of them.
pub(super) struct Outgoing<S> {
    requests: Pin<Box<S>>,
    /// Is told of each request before it is sent; `None` after the last one.
    taken: UnboundedSender<Option<Taken>>,
    window: Arc<Semaphore>,
    max_message_size: usize,
    index: u64,
}

impl<S: Stream<Item: Into<ClassifyRequest>> + Send> Outgoing<S> {
    pub(super) fn new(
        requests: S,
        taken: UnboundedSender<Option<Taken>>,
        max_message_size: usize,
    ) -> Self {
        Self {
            requests: Box::pin(requests),
            taken,
            window: Arc::new(Semaphore::new(WINDOW)),
            max_message_size,
            index: 0,
        }
    }

    /// Ends, and drops the caller's stream, after the last request or when nobody receives `taken`.
    pub(super) fn into_messages(self) -> impl Stream<Item = wire::ClassifyStreamRequest> + Send {
        futures_util::stream::unfold(self, async |mut this: Self| {
            let message = this.next().await?;
            Some((message, this))
        })
    }

    async fn next(&mut self) -> Option<wire::ClassifyStreamRequest> {
        loop {
            let permit = Arc::clone(&self.window).acquire_owned().await.ok()?;
            let closed = pin!(self.taken.closed());
            let Either::Right((request, _)) = select(closed, self.requests.next()).await else {
                return None;
            };
            let Some(request) = request else {
                // A receiver that has gone needs no word.
                let _ = self.taken.send(None);
                return None;
            };
            let request: ClassifyRequest = request.into();
            let index = self.index;
            self.index += 1;
            let images = request.0.images.len();
            let message = wire::ClassifyStreamRequest {
                index,
                request: Some(request.0),
            };
            let (size, limit) = (message.encoded_len(), self.max_message_size);
            let refused = (size > limit).then(|| {
                let failure = Failure::too_large(size, limit);
                Error::new(super::RPC, failure, 0, Duration::ZERO)
            });
            let is_sent = refused.is_none();
            let taken = Taken {
                index,
                images,
                at: Instant::now(),
                refused,
                _permit: permit,
            };
            self.taken.send(Some(taken)).ok()?;
            if is_sent {
                return Some(message);
            }
        }
    }
}
