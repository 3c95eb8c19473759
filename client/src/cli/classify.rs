//! `quintet classify`.

mod explanation;
mod frame;

use std::time::Duration;

use quintet_client::{Classifications, ClassifyRequest, Client, Explanation, Image, Label, Timing};
use serde::Serialize;

use self::explanation::ExplanationReport;
use crate::{
    args::ClassifyArgs,
    failure::Failure,
    input::{ImageFile, REQUEST_LIMIT, read_images},
    output,
    texts::excerpt,
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
    readable: bool,
    labels: &'a [Label],
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<ExplanationReport<'a>>,
}

#[derive(Debug, Serialize)]
struct RequestReport<'a> {
    model: &'a str,
    version: &'a str,
    images: u64,
    timing: Timing,
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
        let images = files.iter().map(|it| Image::encoded(it.bytes.clone()));
        let request = ClassifyRequest::new(images)
            .model(args.model.as_deref().unwrap_or_default())
            .version(args.version.as_deref().unwrap_or_default())
            .top_k(args.top_k)
            .framing(args.framing)
            .refuse_unreadable(args.strict)
            // There may be something beside a digit, such as another one.
            .explain(true);
        let answer = client.classify(request).await;
        let name = |index| files.get(index).map(|it: &ImageFile| it.name.clone());
        answers.push(answer.map_err(|error| Failure::of_items(&error, client.address(), name))?);
    }
    let report = Report::new(&files, &answers, args.show_frame);
    output::print_report(args.json, &report, |report| report.render(args.show_frame))
}

impl<'a> Report<'a> {
    fn new(files: &'a [ImageFile], answers: &'a [Classifications], show_frame: bool) -> Self {
        let explain = |it: &'a Explanation| ExplanationReport::of(it, show_frame);
        let predictions = answers
            .iter()
            .flat_map(|answer| answer.predictions.iter().map(move |it| (answer, it)))
            .zip(files)
            .map(|((answer, prediction), file)| PredictionReport {
                image: &file.name,
                model: &answer.model,
                version: &answer.version,
                readable: prediction.readable,
                labels: &prediction.labels,
                explanation: prediction.explanation.as_ref().map(explain),
            });
        let requests = answers.iter().map(|answer| RequestReport {
            model: &answer.model,
            version: &answer.version,
            images: answer.predictions.len() as u64,
            timing: answer.timing,
        });
        Self {
            predictions: predictions.collect(),
            requests: requests.collect(),
        }
    }

    fn render(&self, show_frame: bool) -> String {
        let mut rows = Vec::new();
        for prediction in &self.predictions {
            if !prediction.readable {
                let explanation = prediction.explanation.as_ref();
                let words = if explanation.is_none_or(ExplanationReport::is_of_a_digit) {
                    "no digit found"
                } else {
                    "nothing to read"
                };
                rows.push([prediction.image.to_owned(), words.to_owned(), String::new()]);
                continue;
            }
            let names = std::iter::once(prediction.image).chain(std::iter::repeat(""));
            for (name, label) in names.zip(prediction.labels) {
                let probability = format!("{:.2} %", label.probability * 100.0);
                rows.push([name.to_owned(), excerpt(&label.name), probability]);
            }
        }
        let table = output::table(["<IMAGE", "<LABEL", ">PROBABILITY"], &rows);
        let milliseconds = |time: Duration| time.as_micros() as f64 / 1000.0;
        let requests = self.requests.iter().map(|request| {
            let timing = request.timing;
            format!(
                "{} by {} version {}: {:.1} ms preparing, {:.1} ms queued, {:.1} ms computing, \
                 in a batch of {}\n",
                output::count(request.images, "image"),
                request.model,
                request.version,
                milliseconds(timing.preprocess),
                milliseconds(timing.queue),
                milliseconds(timing.compute),
                timing.batch_size,
            )
        });
        let explained = self.predictions.iter().filter_map(|prediction| {
            let explanation = prediction.explanation.as_ref()?;
            Some((prediction, explanation))
        });
        let drawn = explained.clone().filter(|_| show_frame);
        let drawn: String = drawn.map(|(it, why)| why.render(it.image)).collect();
        let notes = explained.filter(|(it, _)| it.readable);
        let notes: String = notes.filter_map(|(it, why)| why.note(it.image)).collect();
        drawn + &table + &notes + "\n" + &requests.collect::<String>()
    }
}
