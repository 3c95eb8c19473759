//! The client: one method a call.

use std::{fmt::Display, sync::Arc, time::Duration};

use quintet_proto::v1::{self as wire, inference_service_client::InferenceServiceClient};
use tokio::time::{Instant, sleep};
use tokio_stream::Stream;
use tonic::{Response, Status, codegen::http};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    balance::Balanced,
    builder::{ClientBuilder, Settings},
    classify::{Classifications, ClassifyRequest},
    compression::Compression,
    error::{Error, ErrorKind, Failure},
    generate::{GenerateRequest, GenerateStream, GeneratedDigits},
    health::ServingStatus,
    metadata::request_id,
    model::ModelInfo,
    retry::RetryPolicy,
    sentiment::{SentimentRequest, Sentiments},
    stream::ClassifyStream,
};

/// How often [`Client::wait_until_ready`] asks.
const READY_INTERVAL: Duration = Duration::from_millis(200);

/// A connection to a Quintet server, or to several.
///
/// Cheap to clone; clones share the connection, and one client carries many calls at once. Dropping
/// a call's future cancels the call.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) channel: Balanced,
    pub(crate) address: Arc<str>,
    pub(crate) settings: Settings,
}

impl Client {
    /// Starts a client for the server at `server`: `http://host:port`, or `host:port` for short, in
    /// plain text, `https://host:port` over TLS, or `unix:///path` by a Unix socket.
    ///
    /// Several servers that serve the same models, separated by commas, get calls in turn. So do
    /// all addresses of a name, written `dns:///host:port`: it is looked up again every 10 s and
    /// when a server fails, so that servers may come and go. A server that cannot be reached, or
    /// refuses calls as UNAVAILABLE, is left alone for 250 ms to 5 s; with the
    /// [retries](RetryPolicy), a restart of one server is not seen by callers. A stream stays with
    /// its server. With [`ClientBuilder::tls`], the servers of such a name are called over TLS, and
    /// their certificates are for that name.
    pub fn builder(server: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(server.into())
    }

    /// Where calls go: the server's URL, several separated by commas, or `dns:///host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The headers of each call by this client's [token](ClientBuilder::token) and
    /// [metadata](ClientBuilder::metadata), for callers with connections of their own.
    pub fn headers(&self) -> http::HeaderMap {
        self.settings.metadata.headers()
    }

    /// The same connection with another [timeout](ClientBuilder::timeout), for a caller with a
    /// deadline of its own.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        let mut client = self.clone();
        client.settings.timeout = timeout;
        client
    }

    /// The same connection with another [timeout of streams](ClientBuilder::stream_timeout).
    #[must_use]
    pub fn with_stream_timeout(&self, stream_timeout: Duration) -> Self {
        let mut client = self.clone();
        client.settings.stream_timeout = Some(stream_timeout);
        client
    }

    /// The same connection with one more entry of [metadata](ClientBuilder::metadata), such as a
    /// `traceparent`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a key that gRPC sets itself, a key or value that HTTP/2 does not
    /// carry, or an `authorization` that may not
    /// [go in plain text](ClientBuilder::token_in_plain_text).
    ///
    /// ```no_run
    /// # async fn example(client: quintet_client::Client, image: quintet_client::Image)
    /// # -> Result<(), quintet_client::Error> {
    /// let answer = client.with_metadata("x-request-id", "order-17")?.classify(image).await?;
    /// assert_eq!(answer.request_id, "order-17");
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_metadata(&self, key: &str, value: impl AsRef<[u8]>) -> Result<Self, Error> {
        let mut client = self.clone();
        let metadata = Arc::make_mut(&mut client.settings.metadata);
        metadata.add(key, value.as_ref()).map_err(Error::config)?;
        client.settings.check_credentials()?;
        Ok(client)
    }

    /// Names what is in each image: one [`crate::Image`], several, or a whole [`ClassifyRequest`].
    ///
    /// # Errors
    /// Among others: [`ErrorKind::InvalidArgument`] for an image that cannot be read or a list that
    /// is empty or too long, [`ErrorKind::NotFound`] for an unknown model or version,
    /// [`ErrorKind::FailedPrecondition`] for a model of another task.
    pub async fn classify(
        &self,
        request: impl Into<ClassifyRequest>,
    ) -> Result<Classifications, Error> {
        let request = request.into().0;
        let images = request.images.len();
        self.unary(
            "Classify",
            request,
            |mut service, request| async move { service.classify(request).await },
            |reply, id| Classifications::from_wire(reply, id, images),
        )
        .await
    }

    /// Names what is in the images of many requests, sent on one call and answered in the order in
    /// which they are done; an item is a request's place, from 0, and its answer.
    ///
    /// For callers with much to send: it costs less a request than [`Self::classify`], and a
    /// request is taken from `requests` only when there is room for it, so that the stream may be
    /// endless. The client's [stream timeout](ClientBuilder::stream_timeout), or without one its
    /// [timeout](ClientBuilder::timeout), is the whole stream's, from this call on. Nothing is
    /// tried again: an [`Error::is_retryable`] request can be sent again by the caller. Answers
    /// must be read while there are requests to send.
    ///
    /// ```no_run
    /// # async fn example(client: quintet_client::Client, images: Vec<quintet_client::Image>) {
    /// let mut answers = client.classify_stream(tokio_stream::iter(images));
    /// while let Some((index, answer)) = answers.next().await {
    ///     match answer {
    ///         Ok(answer) => println!("image {index}: {:?}", answer.predictions[0].top()),
    ///         Err(error) => eprintln!("image {index}: {error}"),
    ///     }
    /// }
    /// # }
    /// ```
    pub fn classify_stream<S>(&self, requests: S) -> ClassifyStream
    where
        S: Stream<Item: Into<ClassifyRequest>> + Send + 'static,
    {
        ClassifyStream::new(self.inference(usize::MAX), requests, &self.settings)
    }

    /// Says of each text how likely it is that it speaks well of its subject: of one text, several,
    /// or a whole [`SentimentRequest`].
    ///
    /// # Errors
    /// Among others: [`ErrorKind::InvalidArgument`] for a list that is empty or too long,
    /// [`ErrorKind::NotFound`] for an unknown model or version, [`ErrorKind::FailedPrecondition`]
    /// for a model of another task.
    pub async fn sentiment(
        &self,
        request: impl Into<SentimentRequest>,
    ) -> Result<Sentiments, Error> {
        let request = request.into().0;
        let texts = request.texts.len();
        self.unary(
            "SentimentScore",
            request,
            |mut service, request| async move { service.sentiment_score(request).await },
            |reply, id| Sentiments::from_wire(reply, id, texts),
        )
        .await
    }

    /// Generates images of digits: a number of them, or what a whole
    /// [`GenerateRequest`] says.
    ///
    /// Without a seed, a call that is tried again makes other images than the try before it would
    /// have.
    ///
    /// # Errors
    /// Among others: [`ErrorKind::InvalidArgument`] for a count of 0 or above the server's bound, a
    /// digit above 9 or a confidence outside of [0, 1]; [`ErrorKind::NotFound`] for an unknown
    /// model or version; [`ErrorKind::FailedPrecondition`] for a model of another task;
    /// [`ErrorKind::TooFewFound`] when the server's bound on tries let it find too few images.
    ///
    /// ```no_run
    /// # async fn example(client: quintet_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use quintet_client::{GenerateRequest, Image, Layout};
    ///
    /// let request = GenerateRequest::new(20).digit(7).seed(1).layout(Layout::Grid);
    /// let sevens = client.generate(request).await?;
    /// if let Some(png) = sevens.sheet.as_ref().and_then(Image::as_encoded) {
    ///     std::fs::write("sevens.png", png)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn generate(
        &self,
        request: impl Into<GenerateRequest>,
    ) -> Result<GeneratedDigits, Error> {
        let request = request.into().0;
        let (count, layout) = (request.count, request.layout());
        self.unary(
            "GenerateDigits",
            request,
            |mut service, request| async move { service.generate_digits(request).await },
            |reply, id| GeneratedDigits::from_wire(reply, id, count, layout),
        )
        .await
    }

    /// Makes many images, some at a time, as fast as they are read: those of [`Self::generate`] in
    /// the same order, for counts that it refuses.
    ///
    /// The client's [timeout](ClientBuilder::timeout) bounds the wait for each part, and its
    /// [stream timeout](ClientBuilder::stream_timeout), if it has one, the whole stream. Nothing is
    /// tried again: the same request with the seed that the first part returned makes the same
    /// images.
    ///
    /// ```no_run
    /// # async fn example(client: quintet_client::Client) -> Result<(), quintet_client::Error> {
    /// let mut parts = client.generate_stream(10_000);
    /// while let Some(part) = parts.next().await {
    ///     for digit in part?.digits {
    ///         println!("candidate {}: {} ({:.3})", digit.index, digit.digit, digit.confidence);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn generate_stream(&self, request: impl Into<GenerateRequest>) -> GenerateStream {
        GenerateStream::new(self.inference(0), request.into(), &self.settings)
    }

    /// Every model version of the server's repository: by name, then by version, oldest first.
    pub async fn list_models(&self) -> Result<Vec<ModelInfo>, Error> {
        self.unary(
            "ListModels",
            wire::ListModelsRequest {},
            |mut service, request| async move { service.list_models(request).await },
            |reply, _| Ok(reply.models.into_iter().map(Into::into).collect()),
        )
        .await
    }

    /// Asks `grpc.health.v1` about a service: the server as a whole (`None`), or a model by its
    /// name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a service that the server does not know.
    pub async fn health(&self, service: Option<&str>) -> Result<ServingStatus, Error> {
        let request = HealthCheckRequest {
            service: service.unwrap_or_default().to_owned(),
        };
        self.unary(
            "Check",
            request,
            |_, request| {
                let mut health = HealthClient::new(self.channel.clone());
                async move { health.check(request).await }
            },
            |reply, _| Ok(reply.status().into()),
        )
        .await
    }

    /// Waits until the server as a whole is [`ServingStatus::Serving`], for at most `within`.
    ///
    /// It asks every 200 ms, and a server that is not there yet counts as not ready.
    ///
    /// # Errors
    /// [`ErrorKind::DeadlineExceeded`] when it was not ready in time, with the last answer in the
    /// message.
    pub async fn wait_until_ready(&self, within: Duration) -> Result<(), Error> {
        let start = Instant::now();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let left = within.saturating_sub(start.elapsed());
            let mut once = self.with_timeout(self.settings.timeout.min(left));
            once.settings.retry = RetryPolicy::none();
            let outcome = once.health(None).await;
            if let Ok(ServingStatus::Serving) = outcome {
                return Ok(());
            }
            if start.elapsed().saturating_add(READY_INTERVAL) < within {
                sleep(READY_INTERVAL).await;
                continue;
            }
            let late = |last: &dyn Display| {
                let message = format!("the server was not ready within {within:?}: {last}");
                Failure::new(ErrorKind::DeadlineExceeded, message)
            };
            let failure = match outcome {
                Ok(status) => late(&format_args!("it is {status:?}")),
                Err(error) => late(&error).caused_by(error),
            };
            return Err(Error::new("Check", failure, attempts, start.elapsed()));
        }
    }

    /// Makes a call of one request and one reply, with the deadline and the retries of this client.
    async fn unary<Q, R, T, F>(
        &self,
        rpc: &'static str,
        message: Q,
        send: impl Fn(InferenceServiceClient<Balanced>, tonic::Request<Q>) -> F,
        read: impl Fn(R, String) -> Result<T, Failure>,
    ) -> Result<T, Error>
    where
        Q: prost::Message + Clone,
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let (size, limit) = (message.encoded_len(), self.settings.max_message_size);
        if size > limit {
            let failure = Failure::too_large(size, limit);
            return Err(Error::new(rpc, failure, 0, Duration::ZERO));
        }
        let (id, read) = (&*self.settings.metadata.request_id(), &read);
        let attempt = |remaining| {
            let request = self.settings.request(message.clone(), remaining, id);
            let reply = send(self.inference(size), request);
            async move {
                let reply = reply.await?;
                let id = request_id(reply.metadata()).unwrap_or_else(|| id.to_owned());
                read(reply.into_inner(), id)
            }
        };
        let outcome = self.settings.call(rpc, fastrand::f64, attempt).await;
        outcome.map_err(|error| error.of_request(id))
    }

    /// For requests of so many bytes.
    fn inference(&self, size: usize) -> InferenceServiceClient<Balanced> {
        let service = InferenceServiceClient::new(self.channel.clone())
            .max_decoding_message_size(self.settings.max_message_size);
        let Some(compression) = self.settings.compression else {
            return service;
        };
        let service = service.accept_compressed(compression.encoding());
        if size < Compression::MIN_SIZE {
            return service;
        }
        service.send_compressed(compression.encoding())
    }
}
