//! `ClassifyStream`: many requests on one call, each answered as soon as it is done.

mod outgoing;

use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use quintet_proto::v1::{
    self as wire, classify_stream_response::Result as Outcome,
    inference_service_client::InferenceServiceClient,
};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::Stream;
use tonic::{Code, Status};

use self::outgoing::Taken;
use crate::{
    balance::Balanced,
    builder::Settings,
    classify::{Classifications, ClassifyRequest},
    error::{Error, Failure},
    replies::{Limits, Replies},
};

const RPC: &str = "ClassifyStream";

/// Answers to a stream of requests, in the order in which they are done; made by
/// [`Client::classify_stream`](crate::Client::classify_stream).
///
/// An item is a request's place among the requests, from 0, and its answer or why it has none. Each
/// request that was taken from the caller's stream gets one item, and the stream goes on after a
/// request that failed. When the whole stream fails (its time is up, the connection is lost, the
/// server shuts down), every request under way gets that error, and the answers end; with none
/// under way, the error comes under the place that the next request would have had. So no failure
/// goes unseen, and no request is silently left out but those that were never taken.
///
/// It is a [`futures_core::Stream`](https://docs.rs/futures-core), too.
/// Dropping it cancels what is under way and drops the caller's stream.
#[derive(Debug)]
#[must_use = "nothing is sent until the answers are asked for"]
pub struct ClassifyStream {
    replies: Replies<wire::ClassifyStreamResponse>,
    /// Each request before it is sent, and `None` after the last one.
    taken: mpsc::UnboundedReceiver<Option<Taken>>,
    exhausted: bool,
    under_way: BTreeMap<u64, Taken>,
    /// Errors to hand out.
    failed: VecDeque<(u64, Error)>,
    /// The place that the next request has.
    next: u64,
    opened: Instant,
    max_message_size: usize,
}

impl ClassifyStream {
    pub(crate) fn new<S>(
        mut service: InferenceServiceClient<Balanced>,
        requests: S,
        settings: &Settings,
    ) -> Self
    where
        S: Stream<Item: Into<ClassifyRequest>> + Send + 'static,
    {
        let (sender, taken) = mpsc::unbounded_channel();
        let messages = outgoing::messages(requests, settings.max_message_size, sender);
        let replies = Replies::new(
            settings,
            Limits::of_all(settings),
            messages,
            |request| async move { service.classify_stream(request).await },
        );
        Self {
            replies,
            taken,
            exhausted: false,
            under_way: BTreeMap::new(),
            failed: VecDeque::new(),
            next: 0,
            opened: Instant::now(),
            max_message_size: settings.max_message_size,
        }
    }

    /// The next answer; `None` when each request has had its own, or the stream has failed and said
    /// so.
    ///
    /// Safe to drop before it is done: no answer is lost.
    pub async fn next(&mut self) -> Option<(usize, Result<Classifications, Error>)> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    fn note(&mut self, taken: Option<Taken>) {
        let Some(taken) = taken else {
            self.exhausted = true;
            return;
        };
        self.next = taken.index + 1;
        if taken.size > self.max_message_size {
            let failure = Failure::too_large(taken.size, self.max_message_size);
            let error = Error::new(RPC, failure, 0, Duration::ZERO);
            self.failed.push_back((taken.index, error));
        } else {
            self.under_way.insert(taken.index, taken);
        }
    }

    fn note_all(&mut self) {
        while let Ok(taken) = self.taken.try_recv() {
            self.note(taken);
        }
    }

    /// Finds the request of an answer. The error is one of the whole stream.
    fn settle(
        &mut self,
        answer: wire::ClassifyStreamResponse,
    ) -> Result<(usize, Result<Classifications, Error>), Failure> {
        let index = answer.index;
        // It may have been taken since the last look.
        self.note_all();
        let sent = self.under_way.remove(&index).ok_or_else(|| {
            let message = format!("an answer came to request {index}, which is not under way");
            Failure::protocol(message)
        })?;
        let result = match answer.result {
            Some(Outcome::Response(reply)) => {
                let id = self.replies.request_id().to_owned();
                Classifications::from_wire(reply, id, sent.images)
            }
            Some(Outcome::Error(error)) => Err(of_request(error)),
            None => Err(Failure::protocol(
                "an answer came that is neither a response nor an error",
            )),
        };
        let result = result.map_err(|failure| self.error(failure, sent.at));
        Ok((index as usize, result))
    }

    fn error(&self, failure: Failure, since: Instant) -> Error {
        Error::new(RPC, failure, 1, since.elapsed()).of_request(self.replies.request_id())
    }

    /// Ends the stream: what has no answer by now gets this failure.
    fn end(&mut self, failure: Option<Failure>) {
        self.replies.end();
        self.taken.close();
        self.note_all();
        let mut failure = failure.unwrap_or_else(|| {
            let message = "the server ended the stream before the requests did";
            Failure::protocol(message)
        });
        if self.under_way.is_empty() && !self.exhausted {
            let error = self.error(failure, self.opened);
            self.failed.push_back((self.next, error));
            return;
        }
        for (index, sent) in std::mem::take(&mut self.under_way) {
            // The first error gets the source; the others only have its message.
            let again = Failure {
                retry_delay: failure.retry_delay,
                request_id: failure.request_id.clone(),
                ..Failure::new(failure.kind.clone(), failure.message.clone())
            };
            let failure = std::mem::replace(&mut failure, again);
            let error = self.error(failure, sent.at);
            self.failed.push_back((index, error));
        }
    }
}

impl Stream for ClassifyStream {
    type Item = (usize, Result<Classifications, Error>);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            while this.failed.is_empty()
                && let Poll::Ready(Some(taken)) = this.taken.poll_recv(cx)
            {
                this.note(taken);
            }
            if let Some((index, error)) = this.failed.pop_front() {
                return Poll::Ready(Some((index as usize, Err(error))));
            }
            if this.replies.has_ended() {
                return Poll::Ready(None);
            }
            let reply = std::task::ready!(this.replies.poll_next(cx));
            match reply.and_then(|answer| this.settle(answer).map_err(Some)) {
                Ok(item) => return Poll::Ready(Some(item)),
                Err(failure) => this.end(failure),
            }
        }
    }
}

/// The failure of one request, as the one of a Classify call.
fn of_request(error: wire::StreamError) -> Failure {
    let retry_after = Duration::from_millis(error.retry_after_ms);
    let status = Status::new(Code::from_i32(error.code), error.message);
    Failure {
        retry_delay: (!retry_after.is_zero()).then_some(retry_after),
        ..Failure::from(status)
    }
}
