//! Messages of prost, from and to the bytes that the transport carries.

use std::pin::pin;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures_util::stream::{BoxStream, Stream, StreamExt as _, poll_fn};
use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message;
use tonic::Status;
use tonic::body::Body;

use super::fields;
use super::layout::Layout;
use super::status::status;
use crate::call::Call;
use crate::error::ServeError;
use crate::flow::within;
use crate::transport::{
    self, Allowed, Charge, Decompressing, Encoding, Inbox, Incoming, Messages, PREFIX, Unreadable,
};

/// When to ask again while the requests in flight hold too many bytes.
const NO_ROOM_RETRY: Duration = Duration::from_millis(500);

/// A message, and the room that it takes until it is answered.
pub(super) type Charged<M> = (M, Charge);

/// The one message of a body, if it comes whole before the deadline.
pub(super) async fn only<M: Message + Default>(
    body: Incoming,
    call: &Call,
    layout: Layout,
    encoding: Option<Encoding>,
) -> Result<Charged<M>, ServeError> {
    let message = body.only_message(allowed(call, encoding), call.context().budget);
    let read = pin!(async {
        let message = message.await?;
        let message = match encoding {
            // Boxed to keep the futures of other requests small.
            Some(encoding) => Box::pin(decompress(message, encoding, call)).await?,
            None => without_prefix(message),
        };
        decode(message, layout)
    });
    within(call.deadline(), read).await
}

/// The messages of a stream.
pub(super) fn all<M: Message + Default>(
    inbox: Inbox,
    call: &Call,
    layout: Layout,
    encoding: Option<Encoding>,
) -> BoxStream<'static, Result<Charged<M>, ServeError>> {
    let messages = inbox.messages(allowed(call, encoding));
    match encoding {
        Some(encoding) => decompressed(messages, encoding, call)
            .map(move |message| decode(message?, layout))
            .boxed(),
        None => messages
            .map(move |message| decode(without_prefix(message?), layout))
            .boxed(),
    }
}

/// A body as tonic takes it, without compression.
pub(super) fn for_tonic(inbox: Inbox, call: &Call, encoding: Option<Encoding>) -> Body {
    let messages = inbox.clone().messages(allowed(call, encoding));
    let mut messages = match encoding {
        Some(encoding) => decompressed(messages, encoding, call).boxed(),
        None => messages.map(|message| Ok(without_prefix(message?))).boxed(),
    };
    let messages = poll_fn(move |context| {
        inbox.wake_on_input(context);
        messages.poll_next_unpin(context)
    });
    let frames = messages.map(|message| {
        let (message, _) = message.map_err(|error| status(&error))?;
        let mut frame = BytesMut::with_capacity(PREFIX + message.len());
        put_prefix(message.len(), &mut frame);
        frame.extend_from_slice(&message);
        Ok::<_, Status>(Frame::data(frame.freeze()))
    });
    Body::new(StreamBody::new(frames))
}

/// Writes a message with its prefix.
pub(super) fn encode(message: &impl Message, into: &mut BytesMut) {
    let length = message.encoded_len();
    into.reserve(PREFIX + length);
    put_prefix(length, into);
    message.encode_raw(into);
}

fn put_prefix(length: usize, into: &mut BytesMut) {
    into.put_u8(0);
    // A message is far smaller than 4 GiB.
    into.put_u32(length as u32);
}

/// Compresses a message of an answer, as [`encode`] writes it, if it is worth it. A long one is
/// compressed beside the I/O threads.
pub(super) async fn compress(
    message: BytesMut,
    encoding: Encoding,
    call: &Call,
) -> Result<Bytes, ServeError> {
    if !transport::is_worth(&message) {
        return Ok(message.freeze());
    }
    let is_long = transport::is_long(&message);
    let compress = move || transport::compress(encoding, message);
    if !is_long {
        return Ok(compress());
    }
    call.blocking().run(move |_| Ok(compress())).await
}

fn allowed(call: &Call, encoding: Option<Encoding>) -> Allowed {
    Allowed {
        size: call.context().max_message_size,
        compressed: encoding.is_some(),
    }
}

/// The messages of a stream without their prefixes and compression.
fn decompressed(
    messages: Messages,
    encoding: Encoding,
    call: &Call,
) -> impl Stream<Item = Result<(Bytes, Charge), ServeError>> + Send + use<> {
    let call = call.clone();
    messages.then(move |message| {
        let call = call.clone();
        async move { decompress(message?, encoding, &call).await }
    })
}

/// A message without its prefix and compression, if it has one. A long one is decompressed beside
/// the I/O threads.
async fn decompress(
    message: (Bytes, Charge),
    encoding: Encoding,
    call: &Call,
) -> Result<(Bytes, Charge), ServeError> {
    if !transport::is_compressed(&message.0) {
        return Ok(without_prefix(message));
    }
    let max_size = call.context().max_message_size;
    let mut work = Decompressing::new(encoding, message, max_size)?;
    let message = if work.is_short() {
        loop {
            if let Some(message) = work.step() {
                break message;
            }
        }
    } else {
        call.blocking().steps(move || work.step()).await?
    };
    Ok(message?)
}

fn without_prefix((mut message, charge): (Bytes, Charge)) -> (Bytes, Charge) {
    message.advance(PREFIX);
    (message, charge)
}

/// Decodes a message without its prefix, if it has not too many fields, see [`fields::check`].
fn decode<M: Message + Default>(
    (message, charge): (Bytes, Charge),
    layout: Layout,
) -> Result<Charged<M>, ServeError> {
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
            Unreadable::Compressed => Self::Protocol(format!("request: {why}")),
            why => Self::invalid("request", why.to_string()),
        }
    }
}
