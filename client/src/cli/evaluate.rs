//! `quintet evaluate`: the MNIST test set through the server, one image a request, many requests at once, so that the
//! figures are those of the server's own batching.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use quintet_client::{ClassifyRequest, Client, Framing, Image};
use quintet_data::mnist::{self, SIDE, Split};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{args::EvaluateArgs, failure::Failure, output, score::Score};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    model: String,
    version: String,
    images: u64,
    correct: u64,
    accuracy: f64,
    confusion: [[u64; 10]; 10],
    seconds: f64,
    images_per_second: f64,
    mean_batch_size: f64,
    concurrency: usize,
}

/// What the workers share: the images, and the next one to send.
#[derive(Debug)]
struct Work {
    client: Client,
    model: String,
    images: Vec<(Bytes, u8)>,
    next: AtomicUsize,
    progress: ProgressBar,
}

/// What a worker's requests came to.
#[derive(Debug, Default)]
struct Share {
    score: Score,
    /// The model and version that answered; a share without answers has none.
    model: Option<(String, String)>,
}

/// Clears the bar on every way out, a failure's and Ctrl-C's too.
#[derive(Debug)]
struct ClearedBar(ProgressBar);

pub(crate) async fn run(client: &Client, args: EvaluateArgs) -> Result<(), Failure> {
    let (data_dir, limit) = (args.data_dir, args.limit);
    let images =
        tokio::task::spawn_blocking(move || load(&data_dir, limit.map_or(usize::MAX, Into::into)))
            .await
            .map_err(|error| Failure::new(format!("cannot read the data: {error}")))??;
    let concurrency = args.concurrency.get().min(images.len());
    let work = Arc::new(Work {
        client: client.clone(),
        model: args.model.unwrap_or_default(),
        progress: progress_bar(images.len()),
        images,
        next: AtomicUsize::new(0),
    });

    let progress = ClearedBar(work.progress.clone());
    let start = Instant::now();
    let mut workers: JoinSet<_> = (0..concurrency)
        .map(|_| Arc::clone(&work).run_worker())
        .collect();
    let mut total = Share::default();
    // The first failure ends the run; dropping the set ends the other workers.
    while let Some(share) = workers.join_next().await {
        let share = share.map_err(|error| Failure::new(format!("a worker failed: {error}")))??;
        total.add(share)?;
    }
    let elapsed = start.elapsed();
    drop(progress);

    let (report, score) = (Report::new(&total, elapsed, concurrency), total.score);
    if args.json {
        output::print_json(&report)
    } else {
        output::print(&report.render(&score))
    }
}

fn load(data_dir: &std::path::Path, limit: usize) -> Result<Vec<(Bytes, u8)>, Failure> {
    let digits = mnist::load(data_dir, Split::Test).map_err(|error| {
        Failure::new(error.to_string()).hint("--data-dir names the folder with the MNIST files")
    })?;
    let images = Bytes::from(digits.images);
    let size = SIDE * SIDE;
    let labels = digits.labels.into_iter().take(limit).enumerate();
    let images: Vec<_> = labels
        .map(|(index, label)| (images.slice(index * size..(index + 1) * size), label))
        .collect();
    if images.is_empty() {
        return Err(Failure::new("the test set has no images"));
    }
    Ok(images)
}

/// Drawn on stderr, and only on a terminal.
fn progress_bar(images: usize) -> ProgressBar {
    let template = "{wide_bar} {pos}/{len} images, {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is well formed");
    ProgressBar::new(images as u64).with_style(style)
}

// === impl ClearedBar ===

impl Drop for ClearedBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

// === impl Work ===

impl Work {
    /// Sends one image after the other, as long as there are any.
    async fn run_worker(self: Arc<Self>) -> Result<Share, Failure> {
        let mut share = Share::default();
        while let Some((pixels, truth)) = self
            .images
            .get(self.next.fetch_add(1, Ordering::Relaxed))
            .cloned()
        {
            share.add(self.send(pixels, truth).await?)?;
            self.progress.inc(1);
        }
        Ok(share)
    }

    async fn send(&self, pixels: Bytes, truth: u8) -> Result<Share, Failure> {
        let side = SIDE as u32;
        // MNIST's images are frames already: none is taken for another picture and framed again.
        let request = ClassifyRequest::new([Image::raw(side, side, 1, pixels)])
            .model(&self.model)
            .framing(Framing::None);
        let answer = self
            .client
            .classify(request)
            .await
            .map_err(|error| Failure::of_call(&error, self.client.address()))?;
        let label = answer.predictions.first().and_then(|it| it.top());
        let name = label.map(|it| it.name.as_str()).unwrap_or_default();
        let Ok(digit @ 0..=9) = name.parse::<u8>() else {
            let model = &answer.model;
            return Err(Failure::new(format!(
                "{model} answers {name:?}, which is not a digit"
            )));
        };
        let mut score = Score::default();
        score.count(truth, digit, answer.timing.batch_size);
        Ok(Share {
            score,
            model: Some((answer.model, answer.version)),
        })
    }
}

// === impl Share ===

impl Share {
    /// Adds another share. Figures of two models in one number mean nothing, so that is a failure.
    fn add(&mut self, other: Self) -> Result<(), Failure> {
        match (&self.model, other.model) {
            (Some(ours), Some(theirs)) if *ours != theirs => {
                return Err(Failure::new(format!(
                    "the model changed from {} version {} to {} version {} during the run",
                    ours.0, ours.1, theirs.0, theirs.1
                )));
            }
            (None, theirs) => self.model = theirs,
            _ => {}
        }
        self.score += other.score;
        Ok(())
    }
}

// === impl Report ===

impl Report {
    fn new(total: &Share, elapsed: Duration, concurrency: usize) -> Self {
        let (model, version) = total.model.clone().unwrap_or_default();
        let seconds = elapsed.as_secs_f64();
        Self {
            model,
            version,
            images: total.score.images(),
            correct: total.score.correct(),
            accuracy: total.score.accuracy(),
            confusion: *total.score.confusion(),
            seconds,
            images_per_second: total.score.images() as f64 / seconds,
            mean_batch_size: total.score.mean_batch_size(),
            concurrency,
        }
    }

    fn render(&self, score: &Score) -> String {
        let Self {
            model,
            version,
            images,
            correct,
            concurrency,
            ..
        } = self;
        format!(
            "model            {model} version {version}\n\
             accuracy         {:.2} % ({correct} of {images})\n\
             speed            {:.0} images/s ({:.1} s, {} at once)\n\
             mean batch size  {:.1}\n\n\
             {score}",
            self.accuracy * 100.0,
            self.images_per_second,
            self.seconds,
            output::count(*concurrency, "request"),
            self.mean_batch_size,
        )
    }
}
