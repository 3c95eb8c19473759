//! `quintet evaluate`: a public test set, or the user's own texts, through the server. Many
//! requests are under way at once, so the figures are those of the server's own batching.

mod test_set;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Instant};

use futures_util::{StreamExt as _, stream};
use quintet_client::{Client, ModelInfo, ModelState, Task};
use quintet_data::fashion_mnist;
use serde::Serialize;
use serde_json::Value;

use self::test_set::{Share, TestSet};
use crate::{args::EvaluateArgs, failure::Failure, output, progress::Progress};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    model: String,
    version: String,
    /// How many images or texts, how many a second, and of how many the model knew nothing.
    #[serde(flatten)]
    samples: BTreeMap<String, Value>,
    correct: u64,
    accuracy: f64,
    labels: Vec<String>,
    confusion: Vec<Vec<u64>>,
    seconds: f64,
    mean_batch_size: f64,
    concurrency: usize,
}

pub(crate) async fn run(client: &Client, args: EvaluateArgs) -> Result<(), Failure> {
    let models = client.list_models().await;
    let models = models.map_err(Failure::of_call(client.address()))?;
    if let Some(name) = &args.model
        && models
            .iter()
            .any(|it| it.name == *name && it.task == Task::ImageGeneration)
    {
        let message = format!("{name} makes images, and what it makes has no right answers");
        let hint = "quintet generate --json says how sure a classifier is of them";
        return Err(Failure::new(message).hint(hint));
    }
    match (&args.texts, &args.data_dir) {
        (Some(file), _) => on_texts(client, &models, file, &args).await,
        (None, Some(folder)) => on_test_sets(client, &models, folder, &args).await,
        (None, None) => Err(Failure::usage("--data-dir or --texts says what to send")),
    }
}

/// The user's own texts, for the model that was named or every text classifier.
async fn on_texts(
    client: &Client,
    models: &[ModelInfo],
    file: &Path,
    args: &EvaluateArgs,
) -> Result<(), Failure> {
    let named = |it: &&ModelInfo| args.model.as_ref().is_none_or(|name| it.name == *name);
    let mut found = readers(models.iter().filter(named));
    if args.model.is_none() {
        // One that was named and has others fails.
        found.retain(|it| two_labels(it).is_ok());
    }
    if found.is_empty() {
        let message = match &args.model {
            Some(name) => format!("{name} is no text classifier that is ready"),
            None => "the server has no text classifier of two labels that is ready".to_owned(),
        };
        return Err(Failure::new(message));
    }
    for (at, model) in found.into_iter().enumerate() {
        let labels = two_labels(model)?;
        let set = load(file, args, |file, limit| {
            TestSet::texts(file, limit, labels)
        })
        .await?;
        if at > 0 && !args.json {
            output::print("\n")?;
        }
        evaluate(client, &model.name, set, args).await?;
    }
    Ok(())
}

/// The public test set of the model that was named; else the digits for the default model, and the
/// reviews for every text classifier.
async fn on_test_sets(
    client: &Client,
    models: &[ModelInfo],
    folder: &Path,
    args: &EvaluateArgs,
) -> Result<(), Failure> {
    if let Some(name) = &args.model {
        // A model that does not exist is sent a digit: the server's error says best what it has.
        let set = match models.iter().rfind(|it| it.name == *name) {
            Some(model) if model.task == Task::TextClassification => {
                reviews(folder, args, model).await?.ok_or_else(|| {
                    let folder = folder.display();
                    Failure::new(format!("{folder} has no {}", quintet_data::imdb::ARCHIVE))
                        .hint("--data-dir names the folder with the IMDB reviews")
                })?
            }
            Some(model) if knows_garments(model) => load(folder, args, TestSet::garments).await?,
            _ => load(folder, args, TestSet::digits).await?,
        };
        return evaluate(client, name, set, args).await;
    }
    evaluate(client, "", load(folder, args, TestSet::digits).await?, args).await?;
    let readers = readers(models.iter()).into_iter();
    for model in readers.filter(|it| two_labels(it).is_ok()) {
        let Some(set) = reviews(folder, args, model).await? else {
            break;
        };
        if !args.json {
            output::print("\n")?;
        }
        evaluate(client, &model.name, set, args).await?;
    }
    Ok(())
}

/// The text classifiers that are ready, each once.
fn readers<'a>(models: impl Iterator<Item = &'a ModelInfo>) -> Vec<&'a ModelInfo> {
    let mut found: Vec<_> = models
        .filter(|it| it.task == Task::TextClassification && it.state == ModelState::Ready)
        .collect();
    found.dedup_by(|next, model| next.name == model.name);
    found
}

/// Whether the model's labels are those of Fashion-MNIST, in any order.
fn knows_garments(model: &ModelInfo) -> bool {
    let all = fashion_mnist::LABELS.iter();
    model.labels.len() == fashion_mnist::LABELS.len()
        && all
            .copied()
            .all(|label| model.labels.iter().any(|it| it == label))
}

async fn reviews(
    folder: &Path,
    args: &EvaluateArgs,
    model: &ModelInfo,
) -> Result<Option<TestSet>, Failure> {
    let labels = two_labels(model)?;
    load(folder, args, |folder, limit| {
        TestSet::reviews(folder, limit, labels)
    })
    .await
}

/// The labels of a model that tells two kinds of texts apart.
fn two_labels(model: &ModelInfo) -> Result<Vec<String>, Failure> {
    if model.labels.len() == 2 {
        return Ok(model.labels.clone());
    }
    let (name, labels) = (&model.name, model.labels.len());
    let message = format!("{name} has {labels} labels, the texts have two");
    Err(Failure::new(message))
}

/// Reads a set from a folder or file, as many of its samples as are wanted.
async fn load<T: Send + 'static>(
    path: &Path,
    args: &EvaluateArgs,
    read: impl FnOnce(&Path, usize) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let path = path.to_owned();
    let limit = args.limit.map_or(usize::MAX, Into::into);
    let set = tokio::task::spawn_blocking(move || read(&path, limit)).await;
    set.map_err(|error| Failure::new(format!("cannot read the data: {error}")))?
}

/// Sends the whole set to one model, and prints what came of it.
async fn evaluate(
    client: &Client,
    model: &str,
    set: TestSet,
    args: &EvaluateArgs,
) -> Result<(), Failure> {
    let (things, step) = (set.things(), set.per_request());
    let concurrency = args.concurrency.get().min(set.len().div_ceil(step));
    let progress = Progress::new(set.len() as u64, things);
    let set = Arc::new(set);
    let model: Arc<str> = model.into();

    let start = Instant::now();
    let requests = stream::iter((0..set.len()).step_by(step)).map(|first| {
        let (set, client, model) = (Arc::clone(&set), client.clone(), Arc::clone(&model));
        let samples = first..(first + step).min(set.len());
        tokio::spawn(async move { set.send(&client, &model, samples).await })
    });
    let mut shares = requests.buffer_unordered(concurrency);
    let mut total = Share::new(set.labels.len());
    // The first failure ends the run, and the process with it the other requests.
    while let Some(share) = shares.next().await {
        let share = share.map_err(|error| Failure::new(format!("a request failed: {error}")))??;
        progress.bar().inc(share.score.samples());
        total.add(share)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    drop(progress);

    let (score, count) = (&total.score, total.score.samples());
    let per_second = count as f64 / seconds;
    let (model, version) = total.model.unwrap_or_default();
    let report = Report {
        model,
        version,
        samples: BTreeMap::from([
            (things.to_owned(), count.into()),
            (format!("{things}_per_second"), per_second.into()),
            ("unknown".to_owned(), score.unknown().into()),
        ]),
        correct: score.correct(),
        accuracy: score.accuracy(),
        labels: set.labels.clone(),
        confusion: score.confusion().to_vec(),
        seconds,
        mean_batch_size: score.mean_batch_size(),
        concurrency,
    };
    output::print_report(args.json, &report, |it| {
        let accuracy = it.accuracy * 100.0;
        let at_once = output::count(concurrency as u64, "request");
        let fields = output::fields([
            ("model", format!("{} version {}", it.model, it.version)),
            (
                "accuracy",
                format!("{accuracy:.2} % ({} of {count})", it.correct),
            ),
            (
                "speed",
                format!("{per_second:.0} {things}/s ({seconds:.1} s, {at_once} at once)"),
            ),
            ("mean batch size", format!("{:.1}", it.mean_batch_size)),
        ]);
        let unknown = match score.unknown() {
            0 => String::new(),
            count => format!("UNKNOWN, which is counted as wrong: {count}\n"),
        };
        fields + "\n" + &score.render(&it.labels) + &unknown
    })
}
