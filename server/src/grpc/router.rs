//! From a request's path to the row of the table of calls that answers it.

use std::future::ready;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use tokio::time::Instant;
use tonic::service::Routes;

use super::record::Record;
use super::rpc::Rpc;
use crate::call::{Call, Context, Source};
use crate::config::Reflection;
use crate::error::ServeError;
use crate::tokens::Access;
use crate::trace::Trace;
use crate::transport::{self, Answering, Handler, Incoming, MAX_METADATA, Peer};

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
        let reflecting = [
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ]
        .map(|path| Rpc::endless(path, routes));
        match reflection {
            Reflection::Open => calls.extend(reflecting.map(|rpc| rpc.needs(Access::Open))),
            Reflection::Authenticated => calls.extend(reflecting),
            Reflection::Off => {}
        }
        Self(Arc::new(Table {
            context,
            unknown: Rpc::unknown(calls.iter().map(|rpc| rpc.path).collect()),
            calls,
        }))
    }
}

impl Handler for Router {
    /// The answer holds no more of the request than it needs.
    fn call(&self, request: Request<Incoming>, peer: &Arc<Peer>) -> Answering {
        let started = Instant::now();
        let rpc = self.0.find(request.uri().path());
        let checked = transport::deadline(&request, started);
        let deadline = *checked.as_ref().unwrap_or(&None);
        let headers = request.headers();
        let (source, allowed) = self.0.authorize(rpc.access, headers, peer);
        let context = Arc::clone(&self.0.context);
        // Probes would fill the traces.
        let trace = match rpc.access {
            Access::Open => Trace::default(),
            _ => context.traces.begin(rpc.path, headers),
        };
        let call = Call::new(context, deadline, source, trace);
        let record = Record::start(call, rpc.path, headers, started);
        let refusal = match checked {
            Ok(_) => match allowed.and_then(|()| check_metadata(headers)) {
                Ok(()) => return (rpc.carry)(record, request),
                Err(error) => record.end_with_error(&error),
            },
            Err(bad) => {
                let error = ServeError::invalid(bad.name, bad.problem);
                let mut refusal = record.end_with_error(&error);
                *refusal.status_mut() = bad.http;
                if bad.http == StatusCode::METHOD_NOT_ALLOWED {
                    let post = HeaderValue::from_static("POST");
                    refusal.headers_mut().insert(header::ALLOW, post);
                }
                refusal
            }
        };
        Box::pin(ready(refusal))
    }

    fn connections(&self, open: usize) {
        self.0.context.metrics.connections(open);
    }

    fn turned_away(&self, idle: bool) {
        self.0.context.metrics.turned_away(idle);
    }
}

fn check_metadata(headers: &HeaderMap) -> Result<(), ServeError> {
    let size = transport::metadata_size(headers);
    if size <= MAX_METADATA {
        return Ok(());
    }
    Err(ServeError::Exhausted {
        reason: format!("metadata: is {size} bytes; at most {MAX_METADATA} are allowed"),
        retry_after: None,
    })
}

impl Table {
    /// Who makes a call, and whether it is allowed.
    fn authorize(
        &self,
        needed: Access,
        headers: &HeaderMap,
        peer: &Peer,
    ) -> (Source, Result<(), ServeError>) {
        let mut source = Source {
            identity: peer.identity.clone(),
            caller: None,
            access: needed,
        };
        let Some(tokens) = self.context.tokens.as_ref() else {
            return (source, Ok(()));
        };
        if needed == Access::Open {
            return (source, Ok(()));
        }
        let caller = tokens.authenticate(headers, peer.identity.as_ref());
        let allowed = caller.and_then(|caller| {
            let allowed = caller.check_access(needed);
            source.caller = Some(caller);
            allowed
        });
        (source, allowed)
    }

    fn find(&self, path: &str) -> &Rpc {
        let known = self.calls.iter().find(|rpc| rpc.path == path);
        known.unwrap_or(&self.unknown)
    }
}
