//! What is reported of generated images.

use quintet_client::GeneratedDigits;
use serde::Serialize;

use crate::output;

/// What `--json` prints. Answers are added to it as they come.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Report {
    /// Where the images were written; `None` where they were only shown.
    out: Option<String>,
    count: usize,
    seed: u64,
    candidates: u64,
    model: String,
    version: String,
    classifier: String,
    classifier_version: String,
    /// How many images of each digit.
    digits: [usize; 10],
    mean_confidence: f64,
    images: Vec<ImageReport>,
    /// Of all images.
    #[serde(skip)]
    confidence: f64,
}

#[derive(Clone, Debug, Serialize)]
struct ImageReport {
    /// Which of the seed's candidates it is.
    index: u64,
    digit: u32,
    confidence: f32,
    /// Its own file; `None` on a sheet.
    file: Option<String>,
}

impl Report {
    pub(super) fn new(out: Option<String>) -> Self {
        Self {
            out,
            ..Self::default()
        }
    }

    /// Counts an answer, or a part of one, whose images lie in these files; there are none on a
    /// sheet.
    pub(super) fn add(&mut self, answer: GeneratedDigits, files: Vec<String>) {
        self.seed = answer.seed;
        self.candidates = answer.candidates;
        self.model = answer.model;
        self.version = answer.version;
        self.classifier = answer.classifier;
        self.classifier_version = answer.classifier_version;
        let files = files.into_iter().map(Some).chain(std::iter::repeat(None));
        for (it, file) in answer.digits.iter().zip(files) {
            if let Some(count) = self.digits.get_mut(it.digit as usize) {
                *count += 1;
            }
            self.confidence += f64::from(it.confidence);
            self.images.push(ImageReport {
                index: it.index,
                digit: it.digit,
                confidence: it.confidence,
                file,
            });
        }
        self.count = self.images.len();
        self.mean_confidence = self.confidence / self.count.max(1) as f64;
    }

    pub(super) fn render(&self) -> String {
        let digits = self.digits.iter().enumerate();
        let digits = digits.filter(|(_, count)| **count > 0);
        let digits = digits.map(|(digit, count)| format!("{digit}: {count}"));
        let digits = digits.collect::<Vec<_>>().join(", ");
        let drawn = output::count(self.candidates, "candidate");
        let generator = format!("{} version {}, {drawn} drawn", self.model, self.version);
        let classifier = format!("{} version {}", self.classifier, self.classifier_version);
        let mean = self.mean_confidence * 100.0;
        output::fields(
            [
                ("images", format!("{} ({digits})", self.count)),
                ("mean confidence", format!("{mean:.2} %")),
                ("seed", self.seed.to_string()),
                ("generator", generator),
                ("classifier", classifier),
            ]
            .into_iter()
            .chain(self.out.clone().map(|out| ("written to", out))),
        )
    }
}
