//! How a test configures its server.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use quintet_bundle::{BundleContents, write_bundle};
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
    bundles: Vec<BundleContents>,
    tasks: Vec<Box<dyn Task>>,
    options: BTreeMap<&'static str, OsString>,
}

/// A server with an empty repository, on the CPU.
pub fn server() -> ServerBuilder {
    // A default of one instance per core would make what a test sees depend on the machine.
    ServerBuilder::default()
        .option("--device", "cpu")
        .instances(1)
}

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

    /// Puts any other model into the server's repository.
    pub fn bundle(mut self, contents: BundleContents) -> Self {
        self.bundles.push(contents);
        self
    }

    /// Adds a task to the server's own.
    pub fn task(mut self, task: impl Task + 'static) -> Self {
        self.tasks.push(Box::new(task));
        self
    }

    /// Serves this repository instead of one made of [`ServerBuilder::model`]s and
    /// [`ServerBuilder::text`]s.
    pub fn models_dir(self, path: impl Into<PathBuf>) -> Self {
        self.option("--models-dir", path.into())
    }

    /// Rows that one run takes.
    pub fn max_batch_size(self, rows: usize) -> Self {
        self.option("--max-batch-size", rows.to_string())
    }

    /// How long the oldest row waits for others.
    pub fn max_queue_delay(self, time: &str) -> Self {
        self.option("--max-queue-delay", time)
    }

    /// Rows that may wait. Limits the images or texts of a request as well, as the server demands.
    pub fn max_queue_size(self, rows: usize) -> Self {
        self.option("--max-queue-size", rows.to_string())
            .max_images_per_request(rows.min(256))
            .max_texts_per_request(rows.min(256))
    }

    /// Instances of each model.
    pub fn instances(self, instances: usize) -> Self {
        self.option("--instances", instances.to_string())
    }

    /// Images of one request.
    pub fn max_images_per_request(self, images: usize) -> Self {
        self.option("--max-images-per-request", images.to_string())
    }

    /// Texts of one request.
    pub fn max_texts_per_request(self, texts: usize) -> Self {
        self.option("--max-texts-per-request", texts.to_string())
    }

    /// Bytes of one text.
    pub fn max_text_bytes(self, bytes: usize) -> Self {
        self.option("--max-text-bytes", bytes.to_string())
    }

    /// Images of one GenerateDigits.
    pub fn max_images_per_generation(self, images: usize) -> Self {
        self.option("--max-images-per-generation", images.to_string())
    }

    /// Images of one GenerateDigitsStream.
    pub fn max_images_per_generation_stream(self, images: usize) -> Self {
        self.option("--max-images-per-generation-stream", images.to_string())
    }

    /// Candidates that may be drawn for each image asked for.
    pub fn max_candidates_per_image(self, candidates: usize) -> Self {
        self.option("--max-candidates-per-image", candidates.to_string())
    }

    /// Bytes of one request.
    pub fn max_message_size(self, bytes: usize) -> Self {
        self.option("--max-message-size", bytes.to_string())
    }

    /// Time from unready to draining.
    pub fn shutdown_delay(self, time: &str) -> Self {
        self.option("--shutdown-delay", time)
    }

    /// Longest time to drain.
    pub fn shutdown_timeout(self, time: &str) -> Self {
        self.option("--shutdown-timeout", time)
    }

    /// Models without which the server is not ready.
    pub fn required_models(self, names: &[&str]) -> Self {
        self.option("--required-models", names.join(","))
    }

    /// The model of requests that name none.
    pub fn default_classifier(self, name: &str) -> Self {
        self.option("--default-classifier", name)
    }

    /// The model of texts that name none.
    pub fn default_sentiment_model(self, name: &str) -> Self {
        self.option("--default-sentiment-model", name)
    }

    /// The generator of requests that name none.
    pub fn default_generator(self, name: &str) -> Self {
        self.option("--default-generator", name)
    }

    /// Any other option.
    pub fn option(mut self, flag: &'static str, value: impl Into<OsString>) -> Self {
        self.options.insert(flag, value.into());
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
            bundles,
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
        for contents in bundles {
            write_bundle(folder.path(), contents).expect("the bundle can be written");
        }
        options
            .entry("--models-dir")
            .or_insert_with(|| folder.path().into());
        let arguments = options
            .into_iter()
            .flat_map(|(flag, value)| [flag.into(), value]);
        Server::serve(arguments, tasks, folder).await
    }
}
