//! One caller: what it may do, and how much of it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use metrics::Counter;
use tokio::time::Instant;

use super::bucket::Bucket;
use super::digest::Digest;
use super::{Access, Scope};
use crate::batching::Flow;
use crate::error::{CallerLimit, PermissionDenied, ServeError};
use crate::lock::lock;

/// When to ask again if too many rows are in flight: some of them will have been answered.
const IN_FLIGHT_RETRY: Duration = Duration::from_millis(100);

/// A caller as the file describes it.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(super) name: Arc<str>,
    pub(super) proof: Proof,
    pub(super) scopes: Vec<Scope>,
    /// `None`: all.
    pub(super) models: Option<Vec<String>>,
    /// Rows a second.
    pub(super) rate: Option<f64>,
    /// Rows.
    pub(super) max_in_flight: Option<usize>,
    pub(super) expires: Option<SystemTime>,
    pub(super) usage: Arc<Usage>,
}

/// What proves who a caller is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Proof {
    Token(Digest),
    /// Of a client's certificate.
    Identity(Arc<str>),
}

/// What a caller uses now. It outlives a change of the file.
#[derive(Debug)]
pub(super) struct Usage {
    flow: Flow,
    bucket: Mutex<Option<Bucket>>,
    in_flight: AtomicUsize,
    rows: Counter,
}

/// Rows of a caller in flight, until dropped. Without callers, nothing.
#[derive(Debug, Default)]
#[must_use]
pub struct Admitted(#[expect(dead_code, reason = "it counts as long as it lives")] Option<Rows>);

#[derive(Debug)]
struct Rows {
    usage: Arc<Usage>,
    count: usize,
}

impl Caller {
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its flow in every queue.
    pub(crate) fn flow(&self) -> Flow {
        self.usage.flow
    }

    pub(super) fn has_expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// # Errors
    /// [`ServeError::PermissionDenied`]: the caller lacks the scope that is needed.
    pub(crate) fn check_access(&self, needed: Access) -> Result<(), ServeError> {
        let needed: &[Scope] = match needed {
            Access::Open => return Ok(()),
            Access::Known => &[Scope::Infer, Scope::Control],
            Access::Scope(Scope::Infer) => &[Scope::Infer],
            Access::Scope(Scope::Control) => &[Scope::Control],
            Access::Scope(Scope::Metrics) => &[Scope::Metrics],
        };
        if needed.iter().any(|scope| self.scopes.contains(scope)) {
            return Ok(());
        }
        Err(PermissionDenied::Scope {
            caller: Arc::clone(&self.name),
            scope: needed[0].as_str(),
        }
        .into())
    }

    /// Whether it may call this model.
    pub(crate) fn may_use(&self, model: &str) -> bool {
        let models = self.models.as_ref();
        models.is_none_or(|models| models.iter().any(|allowed| allowed == model))
    }

    /// # Errors
    /// [`ServeError::PermissionDenied`]: the caller may not call this model.
    pub(crate) fn check_model(&self, model: &str) -> Result<(), ServeError> {
        if self.may_use(model) {
            return Ok(());
        }
        Err(PermissionDenied::Model {
            caller: Arc::clone(&self.name),
            model: model.to_owned(),
            allowed: self.models.as_deref().unwrap_or_default().join(", "),
        }
        .into())
    }

    /// Takes `rows` of the caller's rate and of its rows in flight. A caller without rows in flight
    /// may send any request.
    ///
    /// # Errors
    /// [`ServeError::CallerLimit`].
    pub(crate) fn admit(&self, rows: usize, now: Instant) -> Result<Admitted, ServeError> {
        let over = |limit, retry_after| ServeError::CallerLimit {
            caller: Arc::clone(&self.name),
            limit,
            retry_after,
        };
        let usage = &self.usage;
        if let Some(most) = self.max_in_flight {
            let fits = |now| (now == 0 || now + rows <= most).then_some(now + rows);
            let entered = usage
                .in_flight
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
            if let Err(in_flight) = entered {
                let limit = CallerLimit::InFlight {
                    in_flight,
                    rows,
                    most,
                };
                return Err(over(limit, IN_FLIGHT_RETRY));
            }
        } else {
            usage.in_flight.fetch_add(rows, Ordering::Relaxed);
        }
        // Leaves the rows in flight again if the rate refuses them.
        let admitted = Admitted(Some(Rows {
            usage: Arc::clone(usage),
            count: rows,
        }));
        if let Some(rate) = self.rate {
            let mut bucket = lock(&usage.bucket);
            let bucket = bucket.get_or_insert_with(|| Bucket::full(rate, now));
            bucket
                .take(rows, rate, now)
                .map_err(|wait| over(CallerLimit::Rate { rate }, wait))?;
        }
        usage.rows.increment(rows as u64);
        Ok(admitted)
    }
}

impl Usage {
    pub(super) fn new(rows: Counter) -> Self {
        /// Flow 0 is that of unknown callers.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            flow: Flow(NEXT.fetch_add(1, Ordering::Relaxed)),
            bucket: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            rows,
        }
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.usage
            .in_flight
            .fetch_sub(self.count, Ordering::Relaxed);
    }
}
