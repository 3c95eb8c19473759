//! What is recorded around every call: its request id, its place in the metrics and in the log.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body::Frame;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};

use super::exchange::Reply;
use super::status::code_name;
use crate::busy_poll::{self, UnderWay};
use crate::call::Call;
use crate::request_id;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Records a call when it is dropped, however the call has ended. A call without an end was
/// cancelled by its caller.
pub(super) struct Record {
    call: Call,
    rpc: &'static str,
    /// The caller's own, or the server's once there is an error.
    id: Option<String>,
    started: Instant,
    code: Code,
    under_way: Option<UnderWay>,
}

/// The body of an answer of many messages, which tells how it ended. One that is dropped before its
/// end tells nothing.
struct Recorded<F> {
    body: Body,
    /// Takes the code of the trailers, once.
    ended: Option<F>,
}

// === impl Record ===

impl Record {
    /// The call has arrived at `started`.
    pub(super) fn start(
        call: Call,
        rpc: &'static str,
        headers: &HeaderMap,
        started: Instant,
    ) -> Self {
        let context = call.context();
        context.lifecycle.enter();
        context.metrics.request_started();
        let id = headers
            .get(REQUEST_ID)
            .and_then(|value| value.to_str().ok())
            .and_then(request_id::accept);
        Self {
            rpc,
            id: id.map(str::to_owned),
            started,
            code: Code::Cancelled,
            under_way: Some(busy_poll::enter(started)),
            call,
        }
    }

    /// The call.
    pub(super) fn call(&self) -> &Call {
        &self.call
    }

    /// The call ends with this answer.
    pub(super) fn end_with(
        mut self,
        (mut response, code): (Response<Reply>, Code),
    ) -> Response<Reply> {
        if code != Code::Ok && self.id.is_none() {
            self.id = Some(request_id::next());
        }
        self.code = code;
        self.write_id(&mut response);
        response
    }

    /// The call ends with this answer if it is an error, else with the end of its body.
    pub(super) fn end_with_stream(
        mut self,
        (mut response, code): (Response<Reply>, Code),
    ) -> Response<Reply> {
        if code != Code::Ok {
            return self.end_with((response, code));
        }
        self.write_id(&mut response);
        if let Reply::Tonic(body) = response.body_mut() {
            self.under_way = None;
            let recorded = Recorded {
                body: std::mem::take(body),
                ended: Some(move |code| self.end(code)),
            };
            *body = Body::new(recorded);
        }
        response
    }

    fn write_id(&self, response: &mut Response<Reply>) {
        if let Some(id) = &self.id
            && let Ok(mut id) = HeaderValue::from_str(id)
        {
            // Every id is new, so it is not worth a place in HPACK's table.
            id.set_sensitive(true);
            response.headers_mut().insert(REQUEST_ID, id);
        }
    }

    /// The call ends with this code.
    fn end(mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        let model = self.call.model_name();
        let (rpc, code) = (self.rpc, code_name(self.code));
        let context = self.call.context();
        context.metrics.request_ended(rpc, &model, code, took);
        context.lifecycle.leave();
        let (request_id, model) = (self.id.as_deref(), &*model);
        let took_us = took.as_micros() as u64;
        // Faults of the server are always logged (the cause has a line of its own with the error's
        // id). Faults of the caller, and load, are in the metrics and in the log at debug.
        if matches!(self.code, Code::Internal | Code::Unknown | Code::DataLoss) {
            tracing::error!(request_id, rpc, model, code, took_us, "request failed");
        } else {
            tracing::debug!(request_id, rpc, model, code, took_us, "request");
        }
    }
}

// === impl Recorded ===

impl<F: FnOnce(Code) + Unpin> http_body::Body for Recorded<F> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let code = match &frame {
            Some(Ok(frame)) => frame.trailers_ref().map(|trailers| {
                Status::from_header_map(trailers).map_or(Code::Ok, |end| end.code())
            }),
            Some(Err(failure)) => Some(failure.code()),
            None => Some(Code::Ok),
        };
        if let Some(code) = code
            && let Some(ended) = self.ended.take()
        {
            ended(code);
        }
        Poll::Ready(frame)
    }
}
