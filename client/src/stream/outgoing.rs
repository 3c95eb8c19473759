//! The caller's requests on their way out, taken by the connection's task.

use std::{pin::pin, sync::Arc};

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

use crate::classify::ClassifyRequest;

/// Requests that may be under way: twice what a server has under way on a stream, so that it finds
/// the next one waiting.
const WINDOW: usize = 512;

/// A request that was taken from the caller.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) index: u64,
    pub(super) images: usize,
    /// Bytes of its message, which is not sent if it is too large.
    pub(super) size: usize,
    pub(super) at: Instant,
    /// Its place in the window, which is free again when this is dropped.
    _permit: OwnedSemaphorePermit,
}

/// The messages of the caller's requests. `taken` is told of each request before it is sent, and by
/// `None` that there are no more. The stream ends, and drops the caller's, after that or when nobody
/// receives `taken`.
pub(super) fn messages<S>(
    requests: S,
    max_message_size: usize,
    taken: UnboundedSender<Option<Taken>>,
) -> impl Stream<Item = wire::ClassifyStreamRequest> + Send
where
    S: Stream<Item: Into<ClassifyRequest>> + Send,
{
    let window = Arc::new(Semaphore::new(WINDOW));
    let state = (Box::pin(requests), taken, 0);
    futures_util::stream::unfold(state, move |(mut requests, taken, index)| {
        let window = Arc::clone(&window);
        async move {
            let permit = window.acquire_owned().await.ok()?;
            if taken.is_closed() {
                return None;
            }
            let request = match select(requests.next(), pin!(taken.closed())).await {
                Either::Left((request, _)) => request,
                Either::Right(_) => return None,
            };
            let Some(request) = request else {
                // A receiver that has gone needs no word.
                let _ = taken.send(None);
                return None;
            };
            let request: ClassifyRequest = request.into();
            let images = request.0.images.len();
            let message = wire::ClassifyStreamRequest {
                index,
                request: Some(request.0),
            };
            let size = message.encoded_len();
            let sent = Taken {
                index,
                images,
                size,
                at: Instant::now(),
                _permit: permit,
            };
            taken.send(Some(sent)).ok()?;
            let message = (size <= max_message_size).then_some(message);
            Some((message, (requests, taken, index + 1)))
        }
    })
    .filter_map(std::future::ready)
}
