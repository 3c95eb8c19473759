//! A connection with one ClassifyStream on it, shared by many callers.
//!
//! Requests that are sent together go out as one DATA frame: a stream has neither headers nor an
//! end for each request.

use std::{
    cell::RefCell,
    io,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use h2::{SendStream, client::ResponseFuture};
use tonic::Code;

use super::{
    connection::{self, CallError, Connection, Refusal, Target},
    framing::{self, Messages, StreamRequest},
};

/// A handle on the stream. Clones share it; each has one request under way at most.
#[derive(Clone, Debug)]
pub(super) struct Stream(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    /// Requests that are not handed to HTTP/2 yet, and whom to wake for them.
    outgoing: BytesMut,
    is_compressed: bool,
    writer: Option<Waker>,
    /// One for each caller that has a request under way; its place is the request's index.
    slots: Vec<Slot>,
    free: Vec<usize>,
    /// Why the stream ended.
    ended: Option<String>,
}

#[derive(Debug, Default)]
struct Slot {
    /// Whether a request is under way.
    waiting: bool,
    /// Whom to wake when its reply has come.
    caller: Option<Waker>,
    /// Until the caller takes it.
    reply: Option<Result<Bytes, CallError>>,
}

impl Stream {
    /// Connects and opens the stream; its tasks run on the current thread.
    pub(super) async fn open(target: &Target) -> io::Result<Self> {
        let mut connection = Connection::open(target).await?;
        let (response, sender) = connection.start().await.map_err(io::Error::other)?;
        let state = State {
            is_compressed: target.servers.compression.is_some(),
            ..State::default()
        };
        let stream = Self(Rc::new(RefCell::new(state)));
        tokio::task::spawn_local(stream.clone().write(sender));
        tokio::task::spawn_local(stream.clone().read(response));
        Ok(stream)
    }

    /// Sends an encoded `ClassifyRequest`, and gives its answer.
    pub(super) async fn call(&self, request: Bytes) -> Result<Bytes, CallError> {
        let index = self.0.borrow_mut().send(request)?;
        std::future::poll_fn(|cx| self.0.borrow_mut().poll_reply(index, cx)).await
    }

    /// Hands requests on as they come. HTTP/2 holds what its windows do not let out.
    async fn write(self, mut sender: SendStream<Bytes>) {
        while let Some(piece) =
            std::future::poll_fn(|cx| self.0.borrow_mut().poll_outgoing(cx)).await
        {
            if let Err(error) = sender.send_data(piece, false) {
                self.0.borrow_mut().end(&CallError::from(error));
            }
        }
    }

    /// Gives replies to their callers, and at the end of the stream the reason of it.
    async fn read(self, response: ResponseFuture) {
        let end = match self.read_replies(response).await {
            Ok(()) => CallError::Lost("the server ended the stream".into()),
            Err(error) => error,
        };
        self.0.borrow_mut().end(&end);
    }

    async fn read_replies(&self, response: ResponseFuture) -> Result<(), CallError> {
        let mut replies = connection::accepted(response.await?)?;
        let mut messages = Messages::default();
        while let Some(piece) = connection::next_piece(&mut replies).await? {
            messages.push(piece);
            let mut state = self.0.borrow_mut();
            while let Some(message) = messages.next()? {
                state.settle(message)?;
            }
        }
        let trailers = replies.trailers().await?;
        trailers.and_then(connection::status).transpose()?;
        Ok(())
    }
}

impl State {
    /// Takes a request, and gives its index.
    fn send(&mut self, request: Bytes) -> Result<usize, CallError> {
        if let Some(reason) = &self.ended {
            return Err(CallError::Closed(reason.clone()));
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() - 1
        });
        self.slots[index].waiting = true;
        let message = StreamRequest {
            index: index as u64,
            request: Some(request),
        };
        if self.is_compressed {
            let compressed = framing::gzip(&framing::frame(&message));
            self.outgoing.extend_from_slice(&compressed);
        } else {
            framing::put(&mut self.outgoing, &message);
        }
        self.writer.take().into_iter().for_each(Waker::wake);
        Ok(index)
    }

    fn poll_reply(&mut self, index: usize, cx: &Context<'_>) -> Poll<Result<Bytes, CallError>> {
        let slot = &mut self.slots[index];
        if let Some(reply) = slot.reply.take() {
            self.free.push(index);
            return Poll::Ready(reply);
        }
        match &mut slot.caller {
            Some(known) => known.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// What there is to send; `None` when nothing more ever is.
    fn poll_outgoing(&mut self, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        if self.ended.is_some() {
            return Poll::Ready(None);
        }
        if self.outgoing.is_empty() {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Some(self.outgoing.split().freeze()))
    }

    /// Gives a reply to its caller.
    fn settle(&mut self, message: Bytes) -> Result<(), CallError> {
        let (index, result) = framing::stream_reply(message)
            .ok_or(CallError::Malformed("a message that is no stream's reply"))?;
        let slot = usize::try_from(index)
            .ok()
            .and_then(|index| self.slots.get_mut(index))
            .filter(|slot| slot.waiting)
            .ok_or(CallError::Malformed("a reply to no request"))?;
        slot.answer(result.map_err(|error| {
            CallError::Refused(Refusal::new(Code::from_i32(error.code), error.message))
        }));
        Ok(())
    }

    fn end(&mut self, why: &CallError) {
        let reason = self.ended.get_or_insert_with(|| why.to_string());
        for slot in self.slots.iter_mut().filter(|it| it.waiting) {
            slot.answer(Err(CallError::Lost(reason.clone())));
        }
        self.writer.take().into_iter().for_each(Waker::wake);
    }
}

impl Slot {
    fn answer(&mut self, reply: Result<Bytes, CallError>) {
        self.reply = Some(reply);
        self.waiting = false;
        self.caller.take().into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use quintet_proto::v1::{
        ClassifyResponse, ClassifyStreamResponse, classify_stream_response::Result as Outcome,
    };

    use super::*;

    fn reply(index: u64) -> Bytes {
        let response = ClassifyResponse {
            model: index.to_string(),
            ..Default::default()
        };
        let result = Some(Outcome::Response(response));
        let reply = ClassifyStreamResponse { index, result };
        reply.encode_to_vec().into()
    }

    fn poll(state: &mut State, index: usize) -> Option<Result<Bytes, CallError>> {
        match state.poll_reply(index, &Context::from_waker(Waker::noop())) {
            Poll::Ready(reply) => Some(reply),
            Poll::Pending => None,
        }
    }

    #[test]
    fn replies_reach_their_callers_in_any_order_and_slots_are_used_again() {
        let mut state = State::default();
        assert_eq!([0, 1].map(|_| state.send("r".into()).unwrap()), [0, 1]);
        assert!(poll(&mut state, 1).is_none());
        state.settle(reply(1)).unwrap();
        let message = poll(&mut state, 1).unwrap().unwrap();
        assert_eq!(ClassifyResponse::decode(message).unwrap().model, "1");
        assert!(poll(&mut state, 0).is_none());
        assert_eq!(state.send("r".into()).unwrap(), 1);
        // Answered already, and never sent.
        state.settle(reply(0)).unwrap();
        for index in [0, 7, u64::MAX] {
            assert!(state.settle(reply(index)).is_err());
        }
    }

    #[test]
    fn an_end_is_told_to_all_that_wait_and_all_that_come() {
        let mut state = State::default();
        state.send("r".into()).unwrap();
        state.end(&CallError::Lost("gone".into()));
        state.end(&CallError::Lost("again".into()));
        let lost = |result: Result<_, CallError>| match result {
            Err(CallError::Lost(reason) | CallError::Closed(reason)) => reason,
            _ => panic!("not lost"),
        };
        assert_eq!(lost(poll(&mut state, 0).unwrap().map(|_| ())), "gone");
        assert_eq!(lost(state.send("r".into()).map(|_| ())), "gone");
    }
}
