//! From a request's path to the row of the table of calls that answers it.

use std::future::ready;
use std::sync::Arc;

use http::{HeaderValue, Request, StatusCode, header};
use tokio::time::Instant;
use tonic::service::Routes;

use super::record::Record;
use super::refusal;
use super::rpc::Rpc;
use crate::call::{Call, Context, Source};
use crate::config::Reflection;
use crate::error::ServeError;
use crate::tokens::Access;
use crate::transport::{self, Answering, Handler, Incoming, Peer};

/// The table of calls. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Router(Arc<Table>);

#[derive(Debug)]
struct Table {
    context: Arc<Context>,
    /// The busiest first.
    calls: Vec<Rpc>,
    /// Any other path. Its name is the same for all, so that callers cannot add series to the
    /// metrics.
    unknown: Rpc,
}

impl Router {
    /// Routes `calls`, and the paths of tonic's own services, `routes`.
    pub(super) fn new(
        context: Arc<Context>,
        mut calls: Vec<Rpc>,
        routes: &Routes,
        reflection: Reflection,
    ) -> Self {
        let health = [
            Rpc::tonic("/grpc.health.v1.Health/Check", routes),
            Rpc::endless("/grpc.health.v1.Health/Watch", routes),
            Rpc::tonic("/grpc.health.v1.Health/List", routes),
        ];
        calls.extend(health.map(|rpc| rpc.needs(Access::Open)));
        let access = match reflection {
            Reflection::Open => Access::Open,
            Reflection::Authenticated | Reflection::Off => Access::Known,
        };
        // Where it is off, there is no route.
        calls.extend(
            [
                "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            ]
            .map(|path| Rpc::endless(path, routes).needs(access)),
        );
        Self(Arc::new(Table {
            context,
            calls,
            unknown: Rpc::tonic("unknown", routes),
        }))
    }
}

impl Handler for Router {
    /// The answer holds no more of the request than it needs.
    fn call(&self, request: Request<Incoming>, peer: &Arc<Peer>) -> Answering {
        let started = Instant::now();
        let rpc = self.0.find(request.uri().path());
        let headers = request.headers();
        let (deadline, mut refusal) = match transport::deadline(headers, started) {
            Ok(deadline) => (deadline, None),
            Err(bad) => (None, Some(ServeError::invalid(bad.name, bad.problem))),
        };
        let context = &self.0.context;
        let mut source = Source {
            identity: peer.identity.clone(),
            caller: None,
        };
        if let Some(tokens) = &context.tokens
            && rpc.access != Access::Open
        {
            let authorization = headers.get(header::AUTHORIZATION);
            let authorization = authorization.map(HeaderValue::as_bytes);
            let caller = tokens.authenticate(authorization, peer.identity.as_ref());
            let allowed = caller.and_then(|caller| {
                let allowed = caller.check_access(rpc.access);
                source.caller = Some(caller);
                allowed
            });
            refusal = refusal.or(allowed.err());
        }
        let call = Call::new(Arc::clone(context), deadline, source);
        let record = Record::start(call, rpc.path, headers, started);
        let Some(error) = refusal else {
            return (rpc.carry)(record, request);
        };
        let mut refused = record.end_with(refusal::refuse(&error));
        if !transport::is_grpc(headers) {
            // So that a client of another protocol does not take it for a success (gRPC over
            // HTTP/2, "Requests").
            *refused.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        }
        Box::pin(ready(refused))
    }
}

impl Table {
    fn find(&self, path: &str) -> &Rpc {
        let known = self.calls.iter().find(|rpc| rpc.path == path);
        known.unwrap_or(&self.unknown)
    }
}
