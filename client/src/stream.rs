//! `ClassifyStream`: many requests on one call, each answered as soon as it is done.

mod flow;

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use quintet_proto::v1::{
    self as wire, classify_stream_response::Result as Outcome,
    inference_service_client::InferenceServiceClient,
};
use tokio_stream::Stream;
use tonic::{Code, Status};

use self::flow::{Flow, Requests};
use crate::{
    balance::Balanced,
    builder::Settings,
    classify::{Classifications, ClassifyRequest},
    error::{Error, Failure},
    replies::Replies,
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
/// Dropping it cancels what is under way and drops the caller's stream.
#[must_use = "nothing is sent until the answers are asked for"]
pub struct ClassifyStream {
    replies: Replies<wire::ClassifyStreamResponse>,
    flow: Arc<Flow>,
}

impl ClassifyStream {
    pub(crate) fn new<S>(
        mut service: InferenceServiceClient<Balanced>,
        requests: S,
        settings: Settings,
    ) -> Self
    where
        S: Stream<Item: Into<ClassifyRequest>> + Send + 'static,
    {
        let flow = Arc::new(Flow::new(settings.max_message_size));
        let requests = Requests::new(requests, Arc::clone(&flow));
        let replies = Replies::new(settings.timeout, requests, |request| async move {
            service.classify_stream(request).await
        });
        Self { replies, flow }
    }

    /// The next answer; `None` when each request has had its own, or the stream has failed and said
    /// so.
    ///
    /// Safe to drop before it is done: no answer is lost.
    pub async fn next(&mut self) -> Option<(usize, Result<Classifications, Error>)> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Gives the answer to its request. The error is one of the whole stream.
    fn settle(&self, answer: wire::ClassifyStreamResponse) -> Result<(), Failure> {
        let index = answer.index;
        let Some(sent) = self.flow.take(index) else {
            let message = format!("an answer came to request {index}, which is not under way");
            return Err(Failure::protocol(message));
        };
        let result = match answer.result {
            Some(Outcome::Response(reply)) => Classifications::from_wire(reply, sent.images),
            Some(Outcome::Error(error)) => Err(of_request(error)),
            None => Err(Failure::protocol(
                "an answer came that is neither a response nor an error",
            )),
        };
        let result = result.map_err(|failure| Error::new(RPC, failure, 1, sent.at.elapsed()));
        self.flow.finish(index as usize, result);
        Ok(())
    }

    /// Ends the stream: what has no answer by now gets this failure.
    fn end(&mut self, failure: Option<Failure>) {
        self.replies.end();
        let rest = self.flow.close();
        if rest.under_way.is_empty() && rest.exhausted {
            return;
        }
        let mut failure = failure.unwrap_or_else(|| {
            let message = "the server ended the stream before the requests did";
            Failure::protocol(message)
        });
        if rest.under_way.is_empty() {
            let error = Error::new(RPC, failure, 1, rest.elapsed);
            self.flow.finish(rest.next, Err(error));
            return;
        }
        for (index, sent) in rest.under_way {
            // The first error gets the source; the others only have its message.
            let again = Failure {
                retry_delay: failure.retry_delay,
                ..Failure::new(failure.kind.clone(), failure.message.clone())
            };
            let failure = std::mem::replace(&mut failure, again);
            let error = Error::new(RPC, failure, 1, sent.at.elapsed());
            self.flow.finish(index as usize, Err(error));
        }
    }
}

impl Stream for ClassifyStream {
    type Item = (usize, Result<Classifications, Error>);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(item) = this.flow.finished(cx.waker()) {
                return Poll::Ready(Some(item));
            }
            if this.replies.has_ended() {
                return Poll::Ready(None);
            }
            let settled = match std::task::ready!(this.replies.poll_next(cx)) {
                Ok(answer) => this.settle(answer).map_err(Some),
                Err(failure) => Err(failure),
            };
            if let Err(failure) = settled {
                this.end(failure);
            }
        }
    }
}

impl Drop for ClassifyStream {
    fn drop(&mut self) {
        self.flow.close();
    }
}

impl fmt::Debug for ClassifyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClassifyStream")
            .field("replies", &self.replies)
            .finish_non_exhaustive()
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
