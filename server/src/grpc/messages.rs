//! Messages of prost, from and to the bytes that the transport carries.

use std::pin::pin;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures_util::stream::{BoxStream, StreamExt as _, poll_fn};
use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message;
use tonic::Status;
use tonic::body::Body;

use super::fields;
use super::layout::Layout;
use crate::call::Call;
use crate::error::ServeError;
use crate::flow::within;
use crate::transport::{Charge, Inbox, Incoming, PREFIX, Unreadable};

/// When to ask again while the requests in flight hold too many bytes.
const NO_ROOM_RETRY: Duration = Duration::from_millis(500);

/// A message, and the room that it takes until it is answered.
pub(super) type Charged<M> = (M, Charge);

/// The one message of a body, if it comes whole before the deadline.
pub(super) async fn only<M: Message + Default>(
    body: Incoming,
    call: &Call,
    layout: Layout,
) -> Result<Charged<M>, ServeError> {
    let context = call.context();
    let message = body.only_message(context.max_message_size, context.budget);
    let read = pin!(async { decode(message.await, layout) });
    within(call.deadline(), read).await
}

/// The messages of a stream.
pub(super) fn all<M: Message + Default>(
    inbox: Inbox,
    max_message_size: usize,
    layout: Layout,
) -> BoxStream<'static, Result<Charged<M>, ServeError>> {
    let messages = inbox.messages(max_message_size);
    let messages = messages.map(move |message| decode(message, layout));
    messages.boxed()
}

/// A body as tonic takes it.
pub(super) fn for_tonic(inbox: Inbox) -> Body {
    let frames = poll_fn(move |context| {
        let bytes = inbox.poll_bytes(context);
        bytes
            .map_ok(Frame::data)
            .map_err(|error| Status::cancelled(error.to_string()))
    });
    Body::new(StreamBody::new(frames))
}

/// Writes a message with its prefix.
pub(super) fn encode(message: &impl Message, into: &mut BytesMut) {
    let length = message.encoded_len();
    into.reserve(PREFIX + length);
    into.put_u8(0);
    // An answer is far smaller than 4 GiB.
    into.put_u32(length as u32);
    message.encode_raw(into);
}

/// Decodes a message with its prefix, if it has not too many fields, see [`fields::check`].
fn decode<M: Message + Default>(
    message: Result<(Bytes, Charge), Unreadable>,
    layout: Layout,
) -> Result<Charged<M>, ServeError> {
    let (mut message, charge) = message?;
    message.advance(PREFIX);
    fields::check(&message, layout)?;
    let message = M::decode(message)
        .map_err(|error| ServeError::invalid("request", format!("cannot be read: {error}")))?;
    Ok((message, charge))
}

impl From<Unreadable> for ServeError {
    fn from(why: Unreadable) -> Self {
        match why {
            Unreadable::NoRoom(exceeded) => Self::Exhausted {
                reason: format!("request: {exceeded}"),
                retry_after: Some(NO_ROOM_RETRY),
            },
            why => Self::invalid("request", why.to_string()),
        }
    }
}
