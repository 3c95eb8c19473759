//! Calls over all addresses of a service, below the generated clients: one connection an address,
//! calls in turn.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    net::lookup_host,
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tonic::{
    body::Body,
    codegen::{Service, http},
};

use crate::{
    details,
    error::Failure,
    proxied::as_grpc,
    rotation::Rotation,
    target::Target,
    transport::{BoxError, Connection, Transport},
};

/// How often a name is looked up again, so that new servers get calls.
const LOOK_UP_INTERVAL: Duration = Duration::from_secs(10);
/// The least time between two look-ups, however many calls fail.
const LOOK_UP_PAUSE: Duration = Duration::from_secs(1);
/// gRPC's number for UNAVAILABLE, as a refusal's headers carry it.
const UNAVAILABLE: &str = "14";

/// All connections to a service. Cheap to clone; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Balanced {
    pool: Arc<Pool>,
    /// The look-ups, which end with the last clone.
    _watch: Arc<JoinSet<()>>,
}

/// A name that has no address: the name, and why.
#[derive(Debug, thiserror::Error)]
#[error("no address for {0}: {1}")]
pub(crate) struct Unresolved(String, String);

#[derive(Debug)]
struct Pool {
    rotation: Mutex<Rotation<Connection>>,
    transport: Transport,
    /// The URL of the name that the addresses come from, if they do.
    name: Option<String>,
    /// Notified when a call failed.
    failed: Notify,
}

impl Balanced {
    /// Connects with the first call; needs a Tokio runtime.
    ///
    /// # Errors
    /// For an address that is no URL.
    pub(crate) fn new(target: &Target, transport: Transport) -> Result<Self, BoxError> {
        let (name, addresses) = match target {
            Target::Name(name) => (Some(name.clone()), &[][..]),
            Target::Addresses(addresses) => (None, &addresses[..]),
        };
        for address in addresses.iter().chain(&name) {
            transport.check(address)?;
        }
        let balanced = Self::over(transport, name);
        balanced.pool.set(addresses);
        Ok(balanced)
    }

    /// All calls go through one connection of the caller's.
    pub(crate) fn through(connection: &Connection, transport: Transport) -> Self {
        let balanced = Self::over(transport, None);
        let address = [String::new()];
        balanced
            .pool
            .rotation()
            .set(&address, |_| connection.clone());
        balanced
    }

    fn over(transport: Transport, name: Option<String>) -> Self {
        let pool = Arc::new(Pool {
            rotation: Mutex::new(Rotation::new()),
            transport,
            name,
            failed: Notify::new(),
        });
        let mut watch = JoinSet::new();
        if pool.name.is_some() {
            watch.spawn(Arc::clone(&pool).watch());
        }
        Self {
            pool,
            _watch: Arc::new(watch),
        }
    }

    /// Reaches one server at least.
    pub(crate) async fn connect(&self) -> Result<(), Failure> {
        self.resolve().await?;
        let addresses = self.pool.rotation().addresses();
        let mut failure = None;
        for address in addresses {
            let origin = self.pool.origin(&address);
            match self.pool.transport.connect(&address, origin).await {
                Ok(connection) => {
                    self.pool.rotation().connected(&address, connection);
                    return Ok(());
                }
                Err(error) => {
                    self.pool.rotation().ended(&address, true, Instant::now());
                    failure.get_or_insert(error);
                }
            }
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Finds the addresses, if they are not known yet.
    pub(crate) async fn resolve(&self) -> Result<(), Unresolved> {
        if self.pool.rotation().is_empty() {
            self.pool.look_up().await?;
        }
        Ok(())
    }
}

/// A call to an address, whose end the rotation learns when this is dropped.
struct Call<'a> {
    pool: &'a Pool,
    address: String,
    /// `None` until there is an answer: a caller that gives up drops it so.
    failed: Option<bool>,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut rotation = self.pool.rotation();
        match self.failed {
            Some(failed) => rotation.ended(&self.address, failed, now),
            None => rotation.given_up(&self.address, now),
        }
        if self.failed != Some(false) {
            self.pool.failed.notify_one();
        }
    }
}

impl Service<http::Request<Body>> for Balanced {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let balanced = self.clone();
        Box::pin(async move {
            balanced.resolve().await?;
            let pool = &balanced.pool;
            let picked = pool.rotation().pick(Instant::now());
            let (address, mut connection) =
                picked.ok_or_else(|| pool.unresolved("none is left"))?;
            let answer = async {
                poll_fn(|context| connection.poll_ready(context)).await?;
                let answer = connection.call(request).await?;
                Ok(details::readable(as_grpc(answer)))
            };
            let mut call = Call {
                pool,
                address,
                failed: None,
            };
            let answer = answer.await;
            call.failed = Some(answer.as_ref().map_or(true, is_refusal));
            answer
        })
    }
}

/// Whether the server says that it takes no calls now: an answer without a message, of headers
/// alone.
fn is_refusal(answer: &http::Response<Body>) -> bool {
    let status = answer.headers().get("grpc-status");
    status.is_some_and(|it| it == UNAVAILABLE)
}

impl Pool {
    fn rotation(&self) -> MutexGuard<'_, Rotation<Connection>> {
        self.rotation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, addresses: &[String]) {
        let connect = |address: &str| self.transport.connect_lazy(address, self.origin(address));
        self.rotation().set(addresses, connect);
    }

    /// The server that requests name: of a name's addresses, each is that name's.
    fn origin<'a>(&'a self, address: &'a str) -> &'a str {
        self.name.as_deref().unwrap_or(address)
    }

    /// Looks the name up at intervals and after a failed call.
    async fn watch(self: Arc<Self>) {
        loop {
            sleep(LOOK_UP_PAUSE).await;
            // Either the interval is over or a call has failed.
            let _ = timeout(LOOK_UP_INTERVAL, self.failed.notified()).await;
            // A failed look-up leaves the addresses as they were; calls show whether they serve.
            let _ = self.look_up().await;
        }
    }

    /// Asks the system's resolver. Its answer replaces the addresses; an error leaves them.
    async fn look_up(&self) -> Result<(), Unresolved> {
        let Some((scheme, name)) = self.name.as_ref().and_then(|it| it.split_once("://")) else {
            return Ok(());
        };
        let found = lookup_host(name).await;
        let found = found.map_err(|error| self.unresolved(&error.to_string()))?;
        let mut addresses: Vec<String> = found.map(|it| format!("{scheme}://{it}")).collect();
        // Clients that start together should not all begin with the same server.
        fastrand::shuffle(&mut addresses);
        if addresses.is_empty() {
            return Err(self.unresolved("the name has none"));
        }
        self.set(&addresses);
        Ok(())
    }

    fn unresolved(&self, reason: &str) -> Unresolved {
        let name = self.name.as_deref().unwrap_or_default();
        let name = name.split_once("://").map_or(name, |it| it.1);
        Unresolved(name.to_owned(), reason.to_owned())
    }
}
