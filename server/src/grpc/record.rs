//! What is recorded around every call: its request id, its place in the metrics and in the log.

use http::{HeaderMap, HeaderName, HeaderValue, Response};
use quintet_proto::code_name;
use tokio::time::Instant;
use tonic::Code;

use super::refusal;
use crate::busy_poll::{self, UnderWay};
use crate::call::Call;
use crate::error::ServeError;
use crate::request_id;
use crate::transport::Reply;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Records a call when it is dropped, however the call has ended. A call without an end was
/// cancelled by its caller.
pub(super) struct Record {
    pub(super) call: Call,
    rpc: &'static str,
    /// The caller's own, or the server's once there is an error.
    id: Option<String>,
    started: Instant,
    code: Code,
    /// Whether it fails by a fault of the server.
    is_fault: bool,
    under_way: Option<UnderWay>,
}

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
            is_fault: false,
            under_way: Some(busy_poll::enter(started)),
            call,
        }
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
        self.write_id(response.headers_mut());
        response
    }

    /// The call ends with this error.
    pub(super) fn end_with_error(mut self, error: &ServeError) -> Response<Reply> {
        self.note(error);
        self.end_with(refusal::refuse(error))
    }

    /// The call is about to end with this error.
    pub(super) fn note(&mut self, error: &ServeError) {
        self.is_fault = matches!(error, ServeError::Internal { .. });
    }

    /// The call goes on with the body of its answer, until [`Record::end`]. Writes the headers.
    pub(super) fn stream(&mut self, headers: &mut HeaderMap) {
        self.under_way = None;
        self.write_id(headers);
    }

    /// The call ends with this code.
    pub(super) fn end(mut self, code: Code) {
        self.code = code;
    }

    fn write_id(&self, headers: &mut HeaderMap) {
        if let Some(id) = &self.id
            && let Ok(mut id) = HeaderValue::from_str(id)
        {
            // Every id is new, so it is not worth a place in HPACK's table.
            id.set_sensitive(true);
            headers.insert(REQUEST_ID, id);
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        let model = self.call.model_name();
        let (rpc, code) = (self.rpc, code_name(self.code));
        let context = self.call.context();
        context.metrics.request_ended(rpc, &model, code, took);
        let caller = self.call.caller().map(|caller| &**caller.name());
        if let Some(caller) = caller {
            context.metrics.caller_ended(caller, code);
        }
        context.lifecycle.leave();
        let identity = self.call.identity().map(|identity| &*identity.0);
        let (request_id, model) = (self.id.as_deref(), &*model);
        let took_us = took.as_micros() as u64;
        // Faults of the server are always logged (the cause has a line of its own with the error's
        // id). Faults of the caller, and load, are in the metrics and in the log at debug.
        if self.is_fault {
            tracing::error!(
                request_id,
                caller,
                identity,
                rpc,
                model,
                code,
                took_us,
                "request failed"
            );
        } else {
            tracing::debug!(
                request_id, caller, identity, rpc, model, code, took_us, "request"
            );
        }
    }
}
