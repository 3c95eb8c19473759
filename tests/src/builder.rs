//! How a test configures its server.

use std::path::PathBuf;

use quintet_server::config::{BatchingOptions, Options};
use quintet_server::task::Task;

use crate::generator::TinyGenerator;
use crate::models::TinyModel;
use crate::server::Server;
use crate::text::TinyText;

/// A server to be started. A setter that is not called leaves the server's default.
#[must_use]
#[derive(Debug, Default)]
pub struct ServerBuilder {
    models: Vec<TinyModel>,
    texts: Vec<TinyText>,
    generators: Vec<TinyGenerator>,
    tasks: Vec<Box<dyn Task>>,
    options: Options,
}

/// A server with an empty repository, on the CPU.
pub fn server() -> ServerBuilder {
    ServerBuilder {
        options: Options {
            device: Some("cpu".to_owned()),
            batching: BatchingOptions {
                // A default of one per core would make what a test sees depend on the machine.
                instances: Some(1),
                ..BatchingOptions::default()
            },
            ..Options::default()
        },
        ..ServerBuilder::default()
    }
}

// === impl ServerBuilder ===

impl ServerBuilder {
    /// Puts a model into the server's repository.
    pub fn model(mut self, model: TinyModel) -> Self {
        self.models.push(model);
        self
    }

    /// Puts a sentiment model into the server's repository.
    pub fn text(mut self, model: TinyText) -> Self {
        self.texts.push(model);
        self
    }

    /// Puts a generator into the server's repository.
    pub fn generator(mut self, model: TinyGenerator) -> Self {
        self.generators.push(model);
        self
    }

    /// Adds a task to the server's own.
    pub fn task(mut self, task: impl Task + 'static) -> Self {
        self.tasks.push(Box::new(task));
        self
    }

    /// Serves this repository instead of one made of [`ServerBuilder::model`]s and
    /// [`ServerBuilder::text`]s.
    pub fn models_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.models_dir = Some(path.into());
        self
    }

    /// Rows that one run takes.
    pub fn max_batch_size(mut self, rows: usize) -> Self {
        self.options.batching.max_batch_size = Some(rows);
        self
    }

    /// How long the oldest row waits for others.
    pub fn max_queue_delay(mut self, time: &str) -> Self {
        self.options.batching.max_queue_delay = Some(time.to_owned());
        self
    }

    /// Rows that may wait. Limits the images or texts of a request as well, as the server demands.
    pub fn max_queue_size(mut self, rows: usize) -> Self {
        self.options.batching.max_queue_size = Some(rows);
        self.max_images_per_request(rows.min(256))
            .max_texts_per_request(rows.min(256))
    }

    /// Instances of each model.
    pub fn instances(mut self, instances: usize) -> Self {
        self.options.batching.instances = Some(instances);
        self
    }

    /// Images of one request.
    pub fn max_images_per_request(mut self, images: usize) -> Self {
        self.options.max_images_per_request = Some(images);
        self
    }

    /// Texts of one request.
    pub fn max_texts_per_request(mut self, texts: usize) -> Self {
        self.options.max_texts_per_request = Some(texts);
        self
    }

    /// Bytes of one text.
    pub fn max_text_bytes(mut self, bytes: usize) -> Self {
        self.options.max_text_bytes = Some(bytes);
        self
    }

    /// Images of one GenerateDigits.
    pub fn max_images_per_generation(mut self, images: usize) -> Self {
        self.options.max_images_per_generation = Some(images);
        self
    }

    /// Images of one GenerateDigitsStream.
    pub fn max_images_per_generation_stream(mut self, images: usize) -> Self {
        self.options.max_images_per_generation_stream = Some(images);
        self
    }

    /// Candidates that may be drawn for each image asked for.
    pub fn max_candidates_per_image(mut self, candidates: usize) -> Self {
        self.options.max_candidates_per_image = Some(candidates);
        self
    }

    /// Bytes of one request.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.options.max_message_size = Some(bytes);
        self
    }

    /// Time from unready to draining.
    pub fn shutdown_delay(mut self, time: &str) -> Self {
        self.options.shutdown_delay = Some(time.to_owned());
        self
    }

    /// Longest time to drain.
    pub fn shutdown_timeout(mut self, time: &str) -> Self {
        self.options.shutdown_timeout = Some(time.to_owned());
        self
    }

    /// Models without which the server is not ready.
    pub fn required_models(mut self, names: &[&str]) -> Self {
        self.options.required_models = Some(names.iter().map(ToString::to_string).collect());
        self
    }

    /// The model of requests that name none.
    pub fn default_classifier(mut self, name: &str) -> Self {
        self.options.default_classifier = Some(name.to_owned());
        self
    }

    /// The model of texts that name none.
    pub fn default_sentiment_model(mut self, name: &str) -> Self {
        self.options.default_sentiment_model = Some(name.to_owned());
        self
    }

    /// The generator of requests that name none.
    pub fn default_generator(mut self, name: &str) -> Self {
        self.options.default_generator = Some(name.to_owned());
        self
    }

    /// Starts the server and waits until it is ready.
    pub async fn start(self) -> Server {
        let server = self.start_loading().await;
        server.ready().await;
        server
    }

    /// Starts the server and waits until every model has loaded or failed.
    pub async fn start_settled(self) -> Server {
        let server = self.start_loading().await;
        server.settled().await;
        server
    }

    /// Starts the server. Its ports are open; its models may still be loading.
    pub async fn start_loading(self) -> Server {
        let Self {
            models,
            texts,
            generators,
            tasks,
            mut options,
        } = self;
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for model in &models {
            model.write(folder.path());
        }
        for text in &texts {
            text.write(folder.path());
        }
        for generator in &generators {
            generator.write(folder.path());
        }
        options
            .models_dir
            .get_or_insert_with(|| folder.path().to_owned());
        Server::serve(options, tasks, folder).await
    }
}
