//! Answers without an end of their own, such as a health watch. They end when the server drains, so
//! that they do not hold up its shutdown.

use futures_util::stream::unfold;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tonic::body::Body;

use super::status::{status, trailers};
use crate::error::ServeError;

/// A body that ends with UNAVAILABLE when the server drains, if it has not ended before.
pub(super) fn until_drained(
    body: Body,
    drained: impl Future<Output = ()> + Send + 'static,
) -> Body {
    let open = Some((body, Box::pin(drained)));
    let frames = unfold(open, async |open| {
        let (mut body, mut drained) = open?;
        tokio::select! {
            biased;
            // First what there is to send, such as the last change of a health status.
            frame = body.frame() => Some((frame?, Some((body, drained)))),
            () = &mut drained => {
                let trailers = trailers(&status(&ServeError::draining()));
                Some((trailers.map(Frame::trailers), None))
            }
        }
    });
    Body::new(StreamBody::new(frames))
}
