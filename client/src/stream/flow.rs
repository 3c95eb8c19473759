//! What both ends of a stream share: which requests are under way, and what is to be handed out.

use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use prost::Message as _;
use quintet_proto::v1 as wire;
use tokio::time::Instant;
use tokio_stream::Stream;

use crate::{
    classify::{Classifications, ClassifyRequest},
    error::{Error, Failure},
};

/// Requests that may be under way: twice what a server has under way on a stream, so that it finds
/// the next one waiting.
const WINDOW: usize = 512;

/// A place among the requests, and what came of it.
type Item = (usize, Result<Classifications, Error>);

/// The state that both ends share. The caller's task reads answers; the connection's task takes
/// requests.
#[derive(Debug)]
pub(super) struct Flow {
    max_message_size: usize,
    opened: Instant,
    inner: Mutex<Inner>,
}

/// A request under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) images: usize,
    pub(super) at: Instant,
}

/// What was left when the stream ended.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) under_way: BTreeMap<u64, Sent>,
    /// Whether every request was taken.
    pub(super) exhausted: bool,
    /// The place that the next request would have had.
    pub(super) next: usize,
    /// Since the stream was made.
    pub(super) elapsed: Duration,
}

/// The caller's requests on their way out, at most [`WINDOW`] under way at once.
pub(super) struct Requests<S> {
    /// `None` once it has ended.
    requests: Option<Pin<Box<S>>>,
    flow: Arc<Flow>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    under_way: BTreeMap<u64, Sent>,
    finished: VecDeque<Item>,
    exhausted: bool,
    closed: bool,
    /// Whom to wake when a request may go, and when there is something to hand out.
    sender: Option<Waker>,
    reader: Option<Waker>,
}

impl Flow {
    pub(super) fn new(max_message_size: usize) -> Self {
        Self {
            max_message_size,
            opened: Instant::now(),
            inner: Mutex::default(),
        }
    }

    /// Takes a request off those under way; its result is left next.
    pub(super) fn take(&self, index: u64) -> Option<Sent> {
        self.lock().under_way.remove(&index)
    }

    /// Leaves something to hand out.
    pub(super) fn finish(&self, index: usize, result: Result<Classifications, Error>) {
        self.lock().finished.push_back((index, result));
    }

    /// What is to be handed out next; if nothing is, `reader` is woken when something is.
    pub(super) fn finished(&self, reader: &Waker) -> Option<Item> {
        let mut inner = self.lock();
        let Some(item) = inner.finished.pop_front() else {
            register(&mut inner.reader, reader);
            return None;
        };
        // The sender waits for room only where there was none.
        let full = inner.under_way.len() + inner.finished.len() + 1 >= WINDOW;
        let sender = if full { inner.sender.take() } else { None };
        drop(inner);
        sender.into_iter().for_each(Waker::wake);
        Some(item)
    }

    /// Takes no more requests. The sender is woken to drop the caller's stream: HTTP/2's own end of
    /// an answer does not reach a sender that waits for a request.
    pub(super) fn close(&self) -> Rest {
        let mut inner = self.lock();
        inner.closed = true;
        let rest = Rest {
            under_way: std::mem::take(&mut inner.under_way),
            exhausted: inner.exhausted,
            next: inner.next as usize,
            elapsed: self.opened.elapsed(),
        };
        let sender = inner.sender.take();
        drop(inner);
        sender.into_iter().for_each(Waker::wake);
        rest
    }

    /// Gives the request its place; `None` for one that is too large, which is then finished.
    fn send(&self, request: ClassifyRequest) -> Option<wire::ClassifyStreamRequest> {
        let request = request.0;
        let images = request.images.len();
        let mut inner = self.lock();
        let index = inner.next;
        inner.next += 1;
        let message = wire::ClassifyStreamRequest {
            index,
            request: Some(request),
        };
        let size = message.encoded_len();
        if size > self.max_message_size {
            let failure = Failure::too_large(size, self.max_message_size);
            let error = Error::new(super::RPC, failure, 0, Duration::ZERO);
            inner.finished.push_back((index as usize, Err(error)));
            let reader = inner.reader.take();
            drop(inner);
            reader.into_iter().for_each(Waker::wake);
            return None;
        }
        let at = Instant::now();
        inner.under_way.insert(index, Sent { images, at });
        Some(message)
    }

    /// Whether a request may go; `None` if none ever will. `sender` is woken when this changes.
    fn may_send(&self, sender: &Waker) -> Option<bool> {
        let mut inner = self.lock();
        if inner.closed {
            return None;
        }
        // Items that wait to be handed out hold memory as well.
        let room = inner.under_way.len() + inner.finished.len() < WINDOW;
        register(&mut inner.sender, sender);
        Some(room)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has `waker` woken next; an old waker of the same task is kept.
fn register(place: &mut Option<Waker>, waker: &Waker) {
    match place {
        Some(known) => known.clone_from(waker),
        none => *none = Some(waker.clone()),
    }
}

impl<S> Requests<S> {
    pub(super) fn new(requests: S, flow: Arc<Flow>) -> Self {
        Self {
            requests: Some(Box::pin(requests)),
            flow,
        }
    }
}

impl<S: Stream<Item: Into<ClassifyRequest>>> Stream for Requests<S> {
    type Item = wire::ClassifyStreamRequest;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        while let Some(requests) = &mut this.requests {
            match this.flow.may_send(cx.waker()) {
                Some(true) => {}
                Some(false) => return Poll::Pending,
                None => break,
            }
            let Some(request) = std::task::ready!(requests.as_mut().poll_next(cx)) else {
                this.flow.lock().exhausted = true;
                break;
            };
            if let Some(message) = this.flow.send(request.into()) {
                return Poll::Ready(Some(message));
            }
        }
        this.requests = None;
        Poll::Ready(None)
    }
}
