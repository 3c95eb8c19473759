//! `GenerateDigitsStream`: many images, some a message.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use quintet_proto::v1::{self as wire, inference_service_client::InferenceServiceClient};
use tokio::time::Instant;
use tokio_stream::Stream;

use super::{GenerateRequest, GeneratedDigits};
use crate::{
    balance::Balanced,
    builder::Settings,
    error::{Error, Failure},
    replies::{Limits, Replies},
};

const RPC: &str = "GenerateDigitsStream";

/// The parts of an answer, in order; made by
/// [`Client::generate_stream`](crate::Client::generate_stream).
///
/// It is a [`futures_core::Stream`](https://docs.rs/futures-core), too.
/// It ends when all images have come, or with its first error. The server makes images as fast as
/// they are read here. Dropping it cancels what is under way.
#[derive(Debug)]
#[must_use = "nothing is made until the images are asked for"]
pub struct GenerateStream {
    replies: Replies<wire::GenerateDigitsResponse>,
    /// Images that are still to come.
    left: u32,
    opened: Instant,
}

impl GenerateStream {
    pub(crate) fn new(
        mut service: InferenceServiceClient<Balanced>,
        request: GenerateRequest,
        settings: &Settings,
    ) -> Self {
        let message = request.0;
        Self {
            left: message.count,
            replies: Replies::new(
                settings,
                Limits::of_messages(settings),
                message,
                |request| async move { service.generate_digits_stream(request).await },
            ),
            opened: Instant::now(),
        }
    }

    /// The next images; `None` when all have come, or the stream has failed and said so.
    ///
    /// Safe to drop before it is done: no image is lost.
    pub async fn next(&mut self) -> Option<Result<GeneratedDigits, Error>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Takes some of the images that are still to come.
    fn take(&mut self, reply: wire::GenerateDigitsResponse) -> Result<GeneratedDigits, Failure> {
        let id = self.replies.request_id().to_owned();
        let part = GeneratedDigits::part(reply, id, wire::Layout::Separate)?;
        let count = part.digits.len();
        let left = u32::try_from(count).ok();
        self.left = left
            .and_then(|it| self.left.checked_sub(it))
            .ok_or_else(|| {
                let message = format!("{count} images came where {} were left", self.left);
                Failure::protocol(message)
            })?;
        Ok(part)
    }
}

impl Stream for GenerateStream {
    type Item = Result<GeneratedDigits, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.replies.has_ended() {
            return Poll::Ready(None);
        }
        let outcome = match std::task::ready!(this.replies.poll_next(cx)) {
            Ok(reply) => this.take(reply),
            Err(Some(failure)) => Err(failure),
            Err(None) if this.left == 0 => {
                this.replies.end();
                return Poll::Ready(None);
            }
            Err(None) => {
                let message = format!("the server ended the stream {} images early", this.left);
                Err(Failure::protocol(message))
            }
        };
        Poll::Ready(Some(outcome.map_err(|failure| {
            this.replies.end();
            let error = Error::new(RPC, failure, 1, this.opened.elapsed());
            error.of_request(this.replies.request_id())
        })))
    }
}
