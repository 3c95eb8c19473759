//! `quintet evaluate`: a public test set through the server, many requests at once, so that the figures are those of the
//! server's own batching.

mod test_set;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::ProgressBar;
use quintet_client::{Client, ModelInfo, ModelState, Task};
use serde::Serialize;
use tokio::task::JoinSet;

use self::test_set::{Share, TestSet};
use crate::{args::EvaluateArgs, failure::Failure, output, progress::Progress};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    model: String,
    version: String,
    #[serde(flatten)]
    samples: Samples,
    correct: u64,
    accuracy: f64,
    labels: Vec<String>,
    confusion: Vec<Vec<u64>>,
    seconds: f64,
    mean_batch_size: f64,
    concurrency: usize,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
enum Samples {
    Images { images: u64, images_per_second: f64 },
    Texts { texts: u64, texts_per_second: f64 },
}

/// What the workers share: the samples, and the next one to send.
#[derive(Debug)]
struct Work {
    client: Client,
    model: String,
    set: TestSet,
    next: AtomicUsize,
    progress: ProgressBar,
}

/// The data folder, and how many samples are wanted of a set.
#[derive(Clone, Debug)]
struct Data {
    folder: PathBuf,
    limit: usize,
}

pub(crate) async fn run(client: &Client, args: EvaluateArgs) -> Result<(), Failure> {
    let data = Data {
        folder: args.data_dir.clone(),
        limit: args.limit.map_or(usize::MAX, Into::into),
    };
    let models = client
        .list_models()
        .await
        .map_err(|error| Failure::of_call(&error, client.address()))?;
    if let Some(name) = &args.model {
        let mut named = models.iter().filter(|it| it.name == *name);
        if named.clone().any(|it| it.task == Task::ImageGeneration) {
            let message = format!("{name} makes images, and what it makes has no right answers");
            let hint = "quintet generate --json says how sure a classifier is of them";
            return Err(Failure::new(message).hint(hint));
        }
        // One that there is not is sent a digit: the server says best what it has.
        let text = named.rfind(|it| it.task == Task::TextClassification);
        let set = match text {
            Some(model) => reviews(&data, model).await?.ok_or_else(|| {
                let folder = data.folder.display();
                Failure::new(format!("{folder} has no {}", quintet_data::imdb::ARCHIVE))
                    .hint("--data-dir names the folder with the IMDB reviews")
            })?,
            None => digits(&data).await?,
        };
        return evaluate(client, name, set, &args).await;
    }
    evaluate(client, "", digits(&data).await?, &args).await?;
    let mut evaluated: Option<&str> = None;
    for model in &models {
        if model.task != Task::TextClassification
            || model.state != ModelState::Ready
            || evaluated == Some(&model.name)
        {
            continue;
        }
        let Some(set) = reviews(&data, model).await? else {
            break;
        };
        if !args.json {
            output::print("\n")?;
        }
        evaluate(client, &model.name, set, &args).await?;
        evaluated = Some(&model.name);
    }
    Ok(())
}

async fn digits(data: &Data) -> Result<TestSet, Failure> {
    let Data { folder, limit } = data.clone();
    read(move || TestSet::digits(&folder, limit)).await
}

async fn reviews(data: &Data, model: &ModelInfo) -> Result<Option<TestSet>, Failure> {
    let Ok(labels) = <[String; 2]>::try_from(model.labels.clone()) else {
        let (name, labels) = (&model.name, model.labels.len());
        let message = format!("{name} has {labels} labels, the reviews have two");
        return Err(Failure::new(message));
    };
    let Data { folder, limit } = data.clone();
    read(move || TestSet::reviews(&folder, limit, labels)).await
}

async fn read<T: Send + 'static>(
    load: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(load)
        .await
        .map_err(|error| Failure::new(format!("cannot read the data: {error}")))?
}

/// Sends the whole set to one model, and prints what came of it.
async fn evaluate(
    client: &Client,
    model: &str,
    set: TestSet,
    args: &EvaluateArgs,
) -> Result<(), Failure> {
    let requests = set.len().div_ceil(set.per_request());
    let concurrency = args.concurrency.get().min(requests);
    let progress = Progress::new(set.len() as u64, set.things());
    let work = Arc::new(Work {
        client: client.clone(),
        model: model.to_owned(),
        progress: progress.bar(),
        set,
        next: AtomicUsize::new(0),
    });

    let start = Instant::now();
    let mut workers: JoinSet<_> = (0..concurrency)
        .map(|_| Arc::clone(&work).run_worker())
        .collect();
    let mut total = Share::new(work.set.labels().len());
    // The first failure ends the run; dropping the set ends the other workers.
    while let Some(share) = workers.join_next().await {
        let share = share.map_err(|error| Failure::new(format!("a worker failed: {error}")))??;
        total.add(share)?;
    }
    let elapsed = start.elapsed();
    drop(progress);

    let report = Report::new(&work.set, &total, elapsed, concurrency);
    if args.json {
        output::print_json(&report)
    } else {
        output::print(&(report.render() + &total.score.render(&report.labels)))
    }
}

// === impl Work ===

impl Work {
    /// Sends one request after the other, as long as there are samples.
    async fn run_worker(self: Arc<Self>) -> Result<Share, Failure> {
        let mut share = Share::new(self.set.labels().len());
        let step = self.set.per_request();
        loop {
            let first = self.next.fetch_add(step, Ordering::Relaxed);
            let samples = first..(first + step).min(self.set.len());
            if samples.is_empty() {
                return Ok(share);
            }
            let count = samples.len() as u64;
            share.add(self.set.send(&self.client, &self.model, samples).await?)?;
            self.progress.inc(count);
        }
    }
}

// === impl Report ===

impl Report {
    fn new(set: &TestSet, total: &Share, elapsed: Duration, concurrency: usize) -> Self {
        let (model, version) = total.model.clone().unwrap_or_default();
        let seconds = elapsed.as_secs_f64();
        let count = total.score.samples();
        let per_second = count as f64 / seconds;
        Self {
            model,
            version,
            samples: match set {
                TestSet::Digits(_) => Samples::Images {
                    images: count,
                    images_per_second: per_second,
                },
                TestSet::Reviews { .. } => Samples::Texts {
                    texts: count,
                    texts_per_second: per_second,
                },
            },
            correct: total.score.correct(),
            accuracy: total.score.accuracy(),
            labels: set.labels(),
            confusion: total.score.confusion().to_vec(),
            seconds,
            mean_batch_size: total.score.mean_batch_size(),
            concurrency,
        }
    }

    fn render(&self) -> String {
        let Self {
            model,
            version,
            correct,
            concurrency,
            ..
        } = self;
        let (count, per_second, noun) = match self.samples {
            Samples::Images {
                images,
                images_per_second,
            } => (images, images_per_second, "images"),
            Samples::Texts {
                texts,
                texts_per_second,
            } => (texts, texts_per_second, "texts"),
        };
        format!(
            "model            {model} version {version}\n\
             accuracy         {:.2} % ({correct} of {count})\n\
             speed            {per_second:.0} {noun}/s ({:.1} s, {} at once)\n\
             mean batch size  {:.1}\n\n",
            self.accuracy * 100.0,
            self.seconds,
            output::count(*concurrency, "request"),
            self.mean_batch_size,
        )
    }
}
