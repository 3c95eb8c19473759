//! The Quintet client: send images and texts to a Quintet server and get labels and scores back,
//! or have it make images.
//!
//! # Five minutes with the SDK
//!
//! Start a server (`make serve` in the repository listens on port 50051), then connect. The
//! builder's setters all have defaults, and `connect` fails at once if no server listens:
//!
//! ```no_run
//! use std::time::Duration;
//! use quintet_client::{Client, RetryPolicy};
//!
//! # async fn example() -> Result<(), quintet_client::Error> {
//! let client = Client::builder("http://127.0.0.1:50051")
//!     .timeout(Duration::from_secs(2))
//!     .retry(RetryPolicy::default().max_attempts(3))
//!     .connect()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! A [`Client`] is cheap to clone, and its clones share one connection. Classify a PNG, JPEG or WebP
//! file as it is:
//!
//! ```no_run
//! # async fn example(client: quintet_client::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use quintet_client::Image;
//!
//! let answer = client.classify(Image::encoded(std::fs::read("seven.png")?)).await?;
//! if let Some(label) = answer.predictions[0].top() {
//!     println!("{} with probability {:.3}", label.name, label.probability);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Say more with a [`ClassifyRequest`]: several images at once, a model and version, more labels an
//! image, and how a picture becomes the model's input. A request is all or nothing: one bad image
//! refuses all of it.
//!
//! ```no_run
//! # use quintet_client::{Client, Error};
//! # async fn example(client: Client, pixels: Vec<u8>) -> Result<(), Error> {
//! use quintet_client::{ClassifyRequest, Framing, Image};
//!
//! let request = ClassifyRequest::new([Image::raw(28, 28, 1, pixels)])
//!     .model("cnn")
//!     .version("1")
//!     .top_k(3)
//!     .framing(Framing::None);
//! let answer = client.classify(request).await?;
//! println!("{} {} ran a batch of {}", answer.model, answer.version, answer.timing.batch_size);
//! # Ok(())
//! # }
//! ```
//!
//! Much to send goes on one call, with the answers in the order in which they are done:
//!
//! ```no_run
//! # use quintet_client::{Client, Error, Image};
//! # async fn example(client: Client, images: Vec<Image>) -> Result<(), Error> {
//! let mut answers = client.classify_stream(tokio_stream::iter(images));
//! while let Some((index, answer)) = answers.next().await {
//!     println!("image {index}: {:?}", answer?.predictions[0].top());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Ask of texts how well they speak of their subject:
//!
//! ```no_run
//! # async fn example(client: quintet_client::Client) -> Result<(), quintet_client::Error> {
//! use quintet_client::SentimentRequest;
//!
//! let texts = ["I love this movie!", "What a waste of two hours."];
//! let answer = client.sentiment(SentimentRequest::new(texts).model("lstm")).await?;
//! for (text, sentiment) in texts.iter().zip(&answer.texts) {
//!     println!("{} {:.2} {text}", sentiment.label, sentiment.score);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Texts and pairs of texts get labels from any text classifier:
//!
//! ```no_run
//! # async fn example(client: quintet_client::Client) -> Result<(), quintet_client::Error> {
//! use quintet_client::{ClassifyTextRequest, TextInput};
//!
//! let pair = TextInput::pair("A man plays a guitar.", "Somebody makes music.");
//! let answer = client.classify_text(ClassifyTextRequest::new([pair]).model("nli").top_k(3)).await?;
//! for label in &answer.texts[0].labels {
//!     println!("{} {:.2}", label.name, label.probability);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Generate images of digits, of one digit or of any. A classifier on the server labels each:
//!
//! ```no_run
//! # async fn example(client: quintet_client::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use quintet_client::GenerateRequest;
//!
//! let answer = client.generate(GenerateRequest::new(10).seed(1).min_confidence(0.9)).await?;
//! for generated in answer.digits {
//!     if let Some(png) = generated.image.as_ref().and_then(|it| it.as_encoded()) {
//!         std::fs::write(format!("{}-{}.png", generated.index, generated.digit), png)?;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! When a call fails, the [`Error`] says what kind of failure it was, which fields were wrong, how
//! often it was tried and how long that took:
//!
//! ```no_run
//! # async fn example(client: quintet_client::Client, image: quintet_client::Image) {
//! use quintet_client::ErrorKind;
//!
//! match client.classify(image).await {
//!     Ok(answer) => println!("{:?}", answer.predictions[0].top()),
//!     Err(error) => match error.kind() {
//!         ErrorKind::InvalidArgument { violations } => {
//!             for violation in violations {
//!                 eprintln!("{}: {}", violation.field, violation.description);
//!             }
//!         }
//!         ErrorKind::Overloaded => eprintln!("try again in {:?}", error.retry_delay()),
//!         _ => eprintln!("{error}"),
//!     },
//! }
//! # }
//! ```
//!
//! Wait for a server that is still loading its models, and look at what it serves:
//!
//! ```no_run
//! # async fn example(client: quintet_client::Client) -> Result<(), quintet_client::Error> {
//! use std::time::Duration;
//!
//! client.wait_until_ready(Duration::from_secs(30)).await?;
//! for model in client.list_models().await? {
//!     println!("{} {}: {:?}", model.name, model.version, model.state);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Call a server over TLS with a token and a client certificate, and name a call for its log:
//!
//! ```no_run
//! # async fn example(image: quintet_client::Image) -> Result<(), Box<dyn std::error::Error>> {
//! use quintet_client::{Client, Tls};
//!
//! let client = Client::builder("https://models.example:443")
//!     .tls(
//!         Tls::new()
//!             .ca_certificates(std::fs::read("ca.pem")?)
//!             .identity(std::fs::read("cert.pem")?, std::fs::read("key.pem")?),
//!     )
//!     .token(std::env::var("QUINTET_TOKEN")?)
//!     .connect()
//!     .await?;
//! let answer = client.with_metadata("x-request-id", "order-17")?.classify(image).await?;
//! println!("{}", answer.request_id);
//! # Ok(())
//! # }
//! ```
//!
//! # Time
//!
//! A client's timeout bounds a whole call: connecting, every attempt, and the pauses between them.
//! What is left of it travels with each attempt as `grpc-timeout`, so that the server drops work
//! that has expired. Dropping a call's future cancels the call. A stream can have a timeout of its
//! own, [`ClientBuilder::stream_timeout`]. What is tried again, and after which pause, is
//! [`RetryPolicy`]'s page.
//!
//! # Features
//!
//! - `cli` (default) builds the command line tool `quintet`. A service that embeds the SDK turns it
//!   off with `default-features = false`.
//! - `serde` derives `Serialize` for models, labels, sentiments, timings and kinds.

mod balance;
mod builder;
mod call;
mod classify;
mod classify_text;
mod client;
mod compression;
mod details;
mod error;
mod generate;
mod greeting;
mod health;
mod image;
mod metadata;
mod model;
mod pem;
mod proxied;
mod replies;
mod retry;
mod rotation;
mod sentiment;
mod status;
mod stream;
mod target;
mod tls;
mod transport;

pub use builder::ClientBuilder;
pub use classify::{
    Classifications, ClassifyRequest, DroppedKind, Explanation, Framing, Label, Polarity,
    Prediction, Timing,
};
pub use classify_text::{ClassifyTextRequest, TextClassification, TextClassifications, TextInput};
pub use client::Client;
pub use compression::Compression;
pub use error::{Error, ErrorKind, FieldViolation};
pub use generate::{
    GenerateRequest, GenerateStream, GeneratedDigit, GeneratedDigits, ImageFormat, Layout,
};
pub use health::ServingStatus;
pub use image::{Image, RawPixels};
pub use model::{ModelInfo, ModelState, Task, TensorMetadata};
pub use retry::RetryPolicy;
pub use sentiment::{Sentiment, SentimentRequest, Sentiments};
pub use stream::ClassifyStream;
pub use tls::Tls;
