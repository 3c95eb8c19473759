//! The composition root: a configuration becomes an app, an app serves on listeners until it is
//! told to stop.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use quintet_bundle::Products;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::admin::{self, Admin, Guard};
use crate::batching::Backlog;
use crate::blocking::Blocking;
use crate::call::Context;
use crate::config::{Config, ConfigError, cores};
use crate::grpc::{self, Health};
use crate::io_threads::IoThreads;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::model::Loader;
use crate::reload;
use crate::repository::{Repository, State};
use crate::runtime::{Device, Runtime, RuntimeError};
use crate::security::Security;
use crate::task::{Task, Tasks};
use crate::transport::{self, Endpoint};

/// How often recorded samples are folded into their histograms when nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(1);

/// A server, ready to be given its ports.
#[derive(Debug)]
pub struct App {
    config: Config,
    loader: Loader,
    repository: Arc<Repository>,
    io_threads: IoThreads,
    security: Security,
}

/// How long callers have, once their requests were given up, to be told so.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// ONNX Runtime, or the device that was asked for.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The model repository cannot be read.
    #[error("models_dir: {0}")]
    Repository(#[from] quintet_bundle::BundleError),
    /// A default model is not there.
    #[error("{option}: there is no model `{model}` in the repository")]
    DefaultModel {
        /// The option that names it.
        option: &'static str,
        /// The model.
        model: String,
    },
    /// The operating system gave no threads.
    #[error("io_threads: {0}")]
    IoThreads(std::io::Error),
    /// A file that an option names cannot be used.
    #[error(transparent)]
    File(#[from] ConfigError),
}

impl Config {
    /// Loads ONNX Runtime and finds the models; loads none of them yet and binds no port.
    pub fn build(self) -> Result<App, StartError> {
        self.build_with([])
    }

    /// Like [`Config::build`], for a server with further tasks beside the built-in ones.
    pub fn build_with(
        self,
        tasks: impl IntoIterator<Item = Box<dyn Task>>,
    ) -> Result<App, StartError> {
        let runtime = self.runtime.load()?;
        let int8_saturation = self.runtime.int8_saturation;
        let tasks = Tasks::new(self.limits, tasks);
        let repository = self.repository.find()?;
        let metrics = Metrics::new(Runtime::version());
        let security = Security::open(&self, &metrics)?;
        let enough = match runtime.device() {
            device @ Device::Cpu => self.runtime.instances(device),
            // On a GPU a batch takes no core.
            Device::Cuda(_) => usize::MAX,
        };
        let backlog = Arc::new(Backlog::of(enough));
        let io_threads = self
            .network
            .start_threads(&backlog)
            .map_err(StartError::IoThreads)?;
        Ok(App {
            config: self,
            loader: Loader {
                runtime,
                tasks,
                metrics,
                backlog,
                products: Products::here_if(int8_saturation),
            },
            repository: Arc::new(repository),
            io_threads,
            security,
        })
    }
}

impl App {
    /// Serves gRPC and HTTP on these listeners until `shutdown` resolves, then finishes what was
    /// accepted.
    ///
    /// Models are loaded after the ports are open, so that health checks have an answer from the
    /// start. Returns the number of requests that the shutdown had to give up.
    pub async fn serve(
        self,
        grpc_listener: TcpListener,
        admin_listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> usize {
        let Self {
            config,
            loader,
            repository,
            io_threads,
            security,
        } = self;
        let metrics = loader.metrics.clone();
        let lifecycle = Arc::new(Lifecycle::default());
        let calls = grpc::calls(&loader.tasks);
        let health = Health::starting(&repository, &calls).await;
        let budget = config.connections.budget(config.network.max_message_size);
        let traces = config.trace.start();
        let context = Context {
            repository: Arc::clone(&repository),
            blocking: Blocking::new(cores()),
            lifecycle: Arc::clone(&lifecycle),
            metrics: metrics.clone(),
            max_message_size: config.network.max_message_size,
            tokens: security.tokens.clone(),
            traces: traces.clone(),
            budget,
            response_compression: config.network.response_compression,
        };
        let reflection = config.security.reflection;
        let router = grpc::router(context, calls, &health, reflection);
        let admin = Admin {
            metrics: metrics.clone(),
            repository: Arc::clone(&repository),
            lifecycle: Arc::clone(&lifecycle),
            budget,
            guard: Guard {
                by_certificate: security.metrics_need_certificate,
                tokens: security.tokens,
            },
        };
        let bounds = config.connections.bounds();
        let (stop, stopping) = watch::channel(false);
        // Dropped, and so ended, with this function.
        let mut background = tokio::task::JoinSet::new();
        let endpoint = Endpoint {
            listener: admin_listener,
            handshakes: security.admin,
        };
        background.spawn(admin::serve(endpoint, admin));
        match reload::watch(security.sources, metrics.clone()) {
            Ok(watching) => {
                background.spawn(watching);
            }
            Err(error) => tracing::error!(%error, "changed files will not be read again"),
        }
        background.spawn(upkeep(metrics));
        let endpoint = Endpoint {
            listener: grpc_listener,
            handshakes: security.grpc,
        };
        let server = transport::serve(endpoint, io_threads, router, bounds, stopping);
        let mut server = tokio::spawn(server);

        let loading = load_all(&config, &loader, &repository, &health);
        let mut shutdown = pin!(shutdown);
        tokio::select! {
            () = loading => shutdown.await,
            () = &mut shutdown => {}
        }

        tracing::info!("shutting down: no longer ready");
        lifecycle.leave_service();
        health.update(&repository, true).await;
        tokio::time::sleep(config.shutdown.shutdown_delay).await;
        let limit = Instant::now() + config.shutdown.shutdown_timeout;
        lifecycle.drain();
        for model in repository.ready() {
            model.engine.hurry();
        }
        // Nobody listens only if the accept loop has ended already.
        let _ = stop.send(true);
        let mut given_up = 0;
        if timeout_at(limit, &mut server).await.is_err() {
            given_up = lifecycle.in_flight();
            tracing::warn!(given_up, "shutdown_timeout has passed");
        }
        // Whoever still waits is told, and gets a moment to hear it.
        stop_models(&repository, &mut server).await;
        server.abort();
        // An error is a panic of the exporter, whose spans are lost.
        let _ = tokio::task::spawn_blocking(move || traces.finish()).await;
        tracing::info!(given_up, "stopped");
        given_up
    }
}

/// Loads the models one after the other: ONNX Runtime makes its sessions one at a time.
async fn load_all(config: &Config, loader: &Loader, repository: &Repository, health: &Health) {
    let started = Instant::now();
    for found in repository.versions() {
        loader.metrics.model_found(&found.name, found.version);
    }
    for found in repository.versions() {
        let (config, loader, path) = (config.clone(), loader.clone(), found.path.clone());
        let device = loader.runtime.device();
        let loaded = tokio::task::spawn_blocking(move || {
            loader.load(&path, |manifest| config.batching(manifest, device))
        });
        let state = match loaded.await {
            Ok(Ok(model)) => {
                let settings = model.engine.settings();
                tracing::info!(
                    model = found.name,
                    version = found.version,
                    digest = model.digest,
                    device = %model.device,
                    instances = settings.instances,
                    max_batch_size = settings.max_batch_size,
                    max_batch_tokens = settings.max_batch_tokens,
                    "model ready: its golden samples agree"
                );
                model.metrics.set_ready(settings.max_queue_size);
                State::Ready(Arc::new(model))
            }
            Ok(Err(error)) => State::Unavailable(error.to_string()),
            Err(panic) => State::Unavailable(format!("loading it failed: {panic}")),
        };
        if let State::Unavailable(reason) = &state {
            tracing::error!(
                model = found.name,
                version = found.version,
                reason,
                "model not served"
            );
        }
        found.set(state);
        health.update(repository, false).await;
    }
    let took_ms = started.elapsed().as_millis() as u64;
    let unready = repository.unready();
    if unready.is_empty() {
        tracing::info!(took_ms, "ready");
    } else {
        tracing::error!(reasons = unready.join("; "), took_ms, "not ready");
    }
}

/// Ends the batching cores, then waits for their threads and for the last answers to leave.
async fn stop_models(repository: &Repository, server: &mut JoinHandle<()>) {
    let models: Vec<_> = repository.ready().collect();
    for model in &models {
        model.engine.stop();
    }
    // An error is a panic in the accept loop; there is nobody left to tell.
    if !server.is_finished() && timeout(LAST_WORDS, server).await.is_err() {
        tracing::warn!("some callers have not taken their last answers");
    }
    let joined = tokio::task::spawn_blocking(move || {
        for model in &models {
            model.engine.join();
        }
    });
    if timeout(LAST_WORDS, joined).await.is_err() {
        tracing::warn!("an instance is still running its batch");
    }
}

async fn upkeep(metrics: Metrics) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        metrics.upkeep();
    }
}
