//! A running server and the ways to reach it.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use quintet_client::{Client, RetryPolicy};
use quintet_proto::v1::inference_service_client::InferenceServiceClient;
use quintet_proto::v1::{ListModelsRequest, ModelState};
use quintet_server::config::Config;
use quintet_server::task::Task;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::admin::{Page, Scrape, get};
use crate::wire::Wire;

/// A server of this process, on ports of its own.
#[derive(Debug)]
pub struct Server {
    grpc: SocketAddr,
    admin: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<usize>,
    /// The model repository; removed with the server.
    _models: TempDir,
}

impl Server {
    pub(crate) async fn serve(
        options: impl Iterator<Item = OsString>,
        tasks: Vec<Box<dyn Task>>,
        models: TempDir,
    ) -> Self {
        let library = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from).expect(
            "ORT_DYLIB_PATH names ONNX Runtime's library; cargo sets it from .cargo/config.toml",
        );
        assert!(
            library.exists(),
            "{} is missing; `deploy/fetch.py onnxruntime` fetches it",
            library.display()
        );
        let program = OsString::from("quintet-server");
        let config = Config::read([program].into_iter().chain(options))
            .expect("the test's options are allowed");
        let app = config.build_with(tasks).expect("the server can be built");
        let bind = async || {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("a bound port has an address");
            (listener, address)
        };
        let (grpc_listener, grpc) = bind().await;
        let (admin_listener, admin) = bind().await;
        let (stop, mut stopping) = watch::channel(false);
        let shutdown = async move {
            let asked = stopping.wait_for(|stop| *stop).await.is_ok();
            if !asked {
                // The test has dropped the server, which ends with the test's runtime.
                std::future::pending::<()>().await;
            }
        };
        let serving = tokio::spawn(app.serve(grpc_listener, admin_listener, shutdown));
        Self {
            grpc,
            admin,
            stop,
            serving,
            _models: models,
        }
    }

    /// Where gRPC is served.
    pub fn address(&self) -> SocketAddr {
        self.grpc
    }

    /// Where HTTP is served.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Where gRPC is served, as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// The SDK's client with a connection of its own. It does not retry.
    pub async fn client(&self) -> Client {
        Client::builder(self.url())
            .retry(RetryPolicy::none())
            .timeout(std::time::Duration::from_mins(5))
            .connect()
            .await
            .expect("the server takes connections")
    }

    /// tonic's generated client with a connection of its own.
    pub async fn raw(&self) -> InferenceServiceClient<Channel> {
        InferenceServiceClient::new(self.channel().await)
    }

    /// The standard health service's client with a connection of its own.
    pub async fn health(&self) -> HealthClient<Channel> {
        HealthClient::new(self.channel().await)
    }

    /// A bare HTTP/2 connection, for what a well-behaved client does not do.
    pub async fn wire(&self) -> Wire {
        Wire::connect(self.grpc).await
    }

    /// A tonic channel of its own.
    pub async fn channel(&self) -> Channel {
        Endpoint::from_shared(self.url())
            .expect("a URL")
            .connect()
            .await
            .expect("the server takes connections")
    }

    /// One page of the HTTP endpoints.
    pub async fn page(&self, path: &str) -> Page {
        get(self.admin, path).await
    }

    /// The metrics now.
    pub async fn metrics(&self) -> Scrape {
        let page = self.page("/metrics").await;
        assert_eq!(page.status, 200);
        Scrape::parse(&page.body)
    }

    /// Scrapes until `wanted` holds.
    pub async fn metrics_when(&self, wanted: impl Fn(&Scrape) -> bool) -> Scrape {
        loop {
            let metrics = self.metrics().await;
            if wanted(&metrics) {
                return metrics;
            }
        }
    }

    /// Waits until `rows` rows wait for this model.
    pub async fn queued(&self, model: &str, rows: usize) {
        let labels = [("model", model), ("version", "1")];
        let depth = |metrics: &Scrape| metrics.value("quintet_queue_depth_rows", &labels);
        self.metrics_when(|metrics| depth(metrics) == rows as u64)
            .await;
    }

    /// Waits until the health service says that the server is ready.
    pub async fn ready(&self) {
        self.until("", ServingStatus::Serving).await;
    }

    /// Waits until the health service gives this status for a service.
    pub async fn until(&self, service: &str, wanted: ServingStatus) {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let watch = self.health().await.watch(request).await;
        let mut statuses = watch.expect("the service is known").into_inner();
        while let Some(status) = statuses.message().await.expect("the watch goes on") {
            if status.status == wanted as i32 {
                return;
            }
        }
        panic!("the watch ended before {wanted:?}");
    }

    /// The health service's status of a service now.
    pub async fn status(&self, service: &str) -> ServingStatus {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = self.health().await.check(request).await;
        let code = answer.expect("the service is known").into_inner().status;
        match code {
            1 => ServingStatus::Serving,
            2 => ServingStatus::NotServing,
            _ => ServingStatus::Unknown,
        }
    }

    /// Waits until no model is loading.
    pub async fn settled(&self) {
        let mut client = self.raw().await;
        loop {
            let models = client.list_models(ListModelsRequest {}).await;
            let models = models
                .expect("models are always listed")
                .into_inner()
                .models;
            if models
                .iter()
                .all(|model| model.state() != ModelState::Loading)
            {
                return;
            }
        }
    }

    /// Starts the shutdown, as a signal would.
    pub fn shutdown(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until the server has ended. Returns the number of abandoned requests.
    pub async fn stopped(self) -> usize {
        self.serving.await.expect("the server does not panic")
    }
}
