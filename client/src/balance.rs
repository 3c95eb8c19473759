//! Calls over all addresses of a service, below the generated clients: one connection an address,
//! calls in turn.

use std::{
    error::Error as StdError,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    net::lookup_host,
    sync::Notify,
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};
use tonic::{
    body::Body,
    codegen::{Service, http},
    transport::{Channel, Endpoint, Error},
};

use crate::{error::Failure, proxied::as_grpc, rotation::Rotation, target::Target};

/// How often a name is looked up again, so that new servers get calls.
const LOOK_UP_INTERVAL: Duration = Duration::from_secs(10);
/// The least time between two look-ups, however many calls fail.
const LOOK_UP_PAUSE: Duration = Duration::from_secs(1);
/// gRPC's number for UNAVAILABLE, as a refusal's headers carry it.
const UNAVAILABLE: &str = "14";

/// All connections to a service. Cheap to clone; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Balanced(Arc<Pool>);

/// A name that has no address: the name, and why.
#[derive(Debug, thiserror::Error)]
#[error("no address for {0}: {1}")]
pub(crate) struct Unresolved(String, String);

struct Pool {
    rotation: Mutex<Rotation<Channel>>,
    /// Makes the connection to an address.
    endpoint: Box<MakeEndpoint>,
    /// The name that the addresses come from, if they do.
    name: Option<String>,
    /// Notified when a call failed.
    failed: Arc<Notify>,
    watch: Mutex<Option<AbortHandle>>,
}

type MakeEndpoint = dyn Fn(&str) -> Result<Endpoint, Error> + Send + Sync;
type BoxError = Box<dyn StdError + Send + Sync>;

impl Balanced {
    /// Connects with the first call; needs a Tokio runtime. `endpoint` says how an address is
    /// connected to.
    ///
    /// # Errors
    /// What `endpoint` says of the first address that it refuses.
    pub(crate) fn new(
        target: &Target,
        endpoint: impl Fn(&str) -> Result<Endpoint, Error> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let (name, addresses) = match target {
            Target::Name(name) => (Some(name.clone()), &[][..]),
            Target::Addresses(addresses) => (None, &addresses[..]),
        };
        for address in addresses {
            endpoint(address)?;
        }
        let pool = Arc::new(Pool {
            rotation: Mutex::new(Rotation::new()),
            endpoint: Box::new(endpoint),
            name,
            failed: Arc::default(),
            watch: Mutex::default(),
        });
        pool.set(addresses);
        if pool.name.is_some() {
            let task = tokio::spawn(watch(Arc::downgrade(&pool), Arc::clone(&pool.failed)));
            *lock(&pool.watch) = Some(task.abort_handle());
        }
        Ok(Self(pool))
    }

    /// Reaches one server at least.
    pub(crate) async fn connect(&self) -> Result<(), Failure> {
        self.resolve().await?;
        let addresses = lock(&self.0.rotation).addresses();
        let mut failure = None;
        for address in addresses {
            match self.0.endpoint(&address).connect().await {
                Ok(channel) => {
                    lock(&self.0.rotation).connected(&address, channel);
                    return Ok(());
                }
                Err(error) => {
                    lock(&self.0.rotation).ended(&address, true, Instant::now());
                    failure.get_or_insert(error);
                }
            }
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Finds the addresses, if they are not known yet.
    pub(crate) async fn resolve(&self) -> Result<(), Unresolved> {
        if lock(&self.0.rotation).is_empty() {
            self.0.look_up().await?;
        }
        Ok(())
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
            let pool = &balanced.0;
            let picked = lock(&pool.rotation).pick(Instant::now());
            let (address, mut channel) = picked.ok_or_else(|| pool.unresolved("none is left"))?;
            let answer = async {
                poll_fn(|context| channel.poll_ready(context)).await?;
                channel.call(request).await.map(as_grpc)
            };
            let answer = answer.await;
            let failed = answer.as_ref().map_or(true, is_refusal);
            lock(&pool.rotation).ended(&address, failed, Instant::now());
            if failed {
                pool.failed.notify_one();
            }
            answer.map_err(BoxError::from)
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
    fn set(&self, addresses: &[String]) {
        lock(&self.rotation).set(addresses, |address| self.endpoint(address).connect_lazy());
    }

    fn endpoint(&self, address: &str) -> Endpoint {
        (self.endpoint)(address)
            .expect("given addresses were tried, and one that was looked up is a URL")
    }

    /// Asks the system's resolver. Its answer replaces the addresses; an error leaves them.
    async fn look_up(&self) -> Result<(), Unresolved> {
        let Some(name) = &self.name else {
            return Ok(());
        };
        let found = lookup_host(name.as_str()).await;
        let found = found.map_err(|error| self.unresolved(&error.to_string()))?;
        let mut addresses: Vec<String> = found.map(|it| format!("http://{it}")).collect();
        // Clients that start together should not all begin with the same server.
        fastrand::shuffle(&mut addresses);
        if addresses.is_empty() {
            return Err(self.unresolved("the name has none"));
        }
        self.set(&addresses);
        Ok(())
    }

    fn unresolved(&self, reason: &str) -> Unresolved {
        Unresolved(self.name.clone().unwrap_or_default(), reason.to_owned())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.watch).take() {
            task.abort();
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// Looks the name up at intervals and after a failed call, until the client is dropped.
async fn watch(pool: Weak<Pool>, failed: Arc<Notify>) {
    loop {
        sleep(LOOK_UP_PAUSE).await;
        // Either the interval is over or a call has failed.
        let _ = timeout(LOOK_UP_INTERVAL, failed.notified()).await;
        let Some(pool) = pool.upgrade() else { return };
        // A failed look-up leaves the addresses as they were; calls show whether they still serve.
        let _ = pool.look_up().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
