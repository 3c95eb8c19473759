//! `quintet classify`.

use std::fmt::Write as _;

use quintet_client::{Classifications, ClassifyRequest, Client, Image};
use serde::Serialize;

use crate::{
    args::ClassifyArgs,
    failure::Failure,
    input::{ImageFile, REQUEST_LIMIT, read_images},
    output::{self, Table},
};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    predictions: Vec<PredictionReport<'a>>,
    requests: Vec<RequestReport<'a>>,
}

#[derive(Debug, Serialize)]
struct PredictionReport<'a> {
    image: &'a str,
    model: &'a str,
    version: &'a str,
    labels: Vec<LabelReport<'a>>,
}

#[derive(Debug, Serialize)]
struct LabelReport<'a> {
    name: &'a str,
    index: u32,
    probability: f32,
}

#[derive(Debug, Serialize)]
struct RequestReport<'a> {
    model: &'a str,
    version: &'a str,
    images: usize,
    timing: TimingReport,
}

#[derive(Debug, Serialize)]
struct TimingReport {
    preprocess_us: u64,
    queue_us: u64,
    compute_us: u64,
    batch_size: u32,
}

/// All answers come before anything is printed, so the output is whole or not there.
pub(crate) async fn run(client: &Client, args: ClassifyArgs) -> Result<(), Failure> {
    let paths = args.images.clone();
    let files = tokio::task::spawn_blocking(move || read_images(&paths))
        .await
        .map_err(|error| Failure::new(format!("cannot read the images: {error}")))??;
    let mut answers = Vec::new();
    for range in REQUEST_LIMIT.split(files.iter().map(|it| it.bytes.len())) {
        let files = &files[range];
        let answer = client
            .classify(request(&args, files))
            .await
            .map_err(|error| {
                Failure::of_items(&error, client.address(), |index| {
                    files.get(index).map(|it| it.name.clone())
                })
            })?;
        answers.push(answer);
    }
    let report = Report::new(&files, &answers);
    if args.json {
        output::print_json(&report)
    } else {
        output::print(&report.render())
    }
}

fn request(args: &ClassifyArgs, files: &[ImageFile]) -> ClassifyRequest {
    ClassifyRequest::new(files.iter().map(|it| Image::encoded(it.bytes.clone())))
        .model(args.model.as_deref().unwrap_or_default())
        .version(args.version.as_deref().unwrap_or_default())
        .top_k(args.top_k)
        .framing(args.framing.into())
}

// === impl Report ===

impl<'a> Report<'a> {
    fn new(files: &'a [ImageFile], answers: &'a [Classifications]) -> Self {
        let predictions = answers
            .iter()
            .flat_map(|answer| answer.predictions.iter().map(move |it| (answer, it)))
            .zip(files)
            .map(|((answer, prediction), file)| PredictionReport {
                image: &file.name,
                model: &answer.model,
                version: &answer.version,
                labels: prediction
                    .labels
                    .iter()
                    .map(|label| LabelReport {
                        name: &label.name,
                        index: label.index,
                        probability: label.probability,
                    })
                    .collect(),
            })
            .collect();
        Self {
            predictions,
            requests: answers.iter().map(RequestReport::new).collect(),
        }
    }

    fn render(&self) -> String {
        let mut table = Table::new()
            .text("IMAGE")
            .text("LABEL")
            .number("PROBABILITY");
        for prediction in &self.predictions {
            let names = std::iter::once(prediction.image).chain(std::iter::repeat(""));
            for (name, label) in names.zip(&prediction.labels) {
                let probability = format!("{:.2} %", label.probability * 100.0);
                table.row([name.to_owned(), label.name.to_owned(), probability]);
            }
        }
        let mut text = table.render() + "\n";
        for request in &self.requests {
            let images = output::count(request.images, "image");
            let RequestReport {
                model,
                version,
                timing,
                ..
            } = request;
            writeln!(
                text,
                "{images} by {model} version {version}: {} ms preparing, {} ms queued, {} ms computing, in a batch of {}",
                milliseconds(timing.preprocess_us),
                milliseconds(timing.queue_us),
                milliseconds(timing.compute_us),
                timing.batch_size,
            )
            .expect("writing to a string does not fail");
        }
        text
    }
}

// === impl RequestReport ===

impl<'a> RequestReport<'a> {
    fn new(answer: &'a Classifications) -> Self {
        let microseconds = |time: std::time::Duration| time.as_micros() as u64;
        Self {
            model: &answer.model,
            version: &answer.version,
            images: answer.predictions.len(),
            timing: TimingReport {
                preprocess_us: microseconds(answer.timing.preprocess),
                queue_us: microseconds(answer.timing.queue),
                compute_us: microseconds(answer.timing.compute),
                batch_size: answer.timing.batch_size,
            },
        }
    }
}

fn milliseconds(microseconds: u64) -> String {
    format!("{:.1}", microseconds as f64 / 1000.0)
}
