//! What is sent and what the right answers are: the test images of MNIST or Fashion-MNIST, IMDB's
//! test reviews, or the user's own texts.

use std::{ops::Range, path::Path};

use bytes::Bytes;
use quintet_client::{
    ClassifyRequest, Client, Framing, Image, Prediction, SentimentRequest, Timing,
};
use quintet_data::{
    DataErrorKind, fashion_mnist,
    imdb::{self, Reviews},
    mnist::SIDE,
    sst2,
};

use crate::{
    digits::{self, Digits},
    failure::Failure,
    score::Score,
};

/// A labelled set, and how its samples are sent.
#[derive(Debug)]
pub(super) struct TestSet {
    samples: Samples,
    /// Each sample's class.
    truths: Vec<u8>,
    /// The classes' names.
    pub(super) labels: Vec<String>,
}

#[derive(Debug)]
enum Samples {
    /// Pixels of MNIST's size. One image a request, so that batches are the server's own.
    Images(Vec<Bytes>),
    Texts(Vec<String>),
}

/// What answers came to.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) score: Score,
    /// The model and version that answered; a share without answers has none.
    pub(super) model: Option<(String, String)>,
}

/// Texts that a request holds.
const TEXTS: usize = 16;
/// The label of a text in which the model knows no word.
const UNKNOWN: &str = "UNKNOWN";

impl TestSet {
    /// MNIST's test images.
    pub(super) fn digits(data_dir: &Path, limit: usize) -> Result<Self, Failure> {
        let labels = (0..10).map(|it| it.to_string()).collect();
        Ok(Self::images(digits::load(data_dir)?, limit, labels))
    }

    /// Fashion-MNIST's test images.
    pub(super) fn garments(data_dir: &Path, limit: usize) -> Result<Self, Failure> {
        let labels = fashion_mnist::LABELS.map(str::to_owned).into();
        Ok(Self::images(
            digits::load_garments(data_dir)?,
            limit,
            labels,
        ))
    }

    fn images(set: Digits, limit: usize, labels: Vec<String>) -> Self {
        Self {
            samples: Samples::Images(set.images),
            truths: set.labels.into_iter().take(limit).collect(),
            labels,
        }
    }

    /// `None` where the reviews are not there.
    pub(super) fn reviews(
        data_dir: &Path,
        limit: usize,
        labels: Vec<String>,
    ) -> Result<Option<Self>, Failure> {
        let reviews = match imdb::load(data_dir, |_, _| ()) {
            Ok(all) => all.test,
            Err(error) if matches!(error.kind, DataErrorKind::NotFetched { .. }) => {
                return Ok(None);
            }
            Err(error) => return Err(Failure::new(error.to_string())),
        };
        let (texts, truths) = alternate(reviews).take(limit).unzip();
        Ok(Some(Self {
            samples: Samples::Texts(texts),
            truths,
            labels,
        }))
    }

    /// The texts of a file in the form of SST-2's.
    pub(super) fn texts(file: &Path, limit: usize, labels: Vec<String>) -> Result<Self, Failure> {
        let mut all = sst2::read(file).map_err(|error| Failure::new(error.to_string()))?;
        if all.texts.is_empty() {
            return Err(Failure::new(format!("{} has no texts", file.display())));
        }
        all.texts.truncate(limit);
        all.labels.truncate(limit);
        Ok(Self {
            samples: Samples::Texts(all.texts),
            truths: all.labels,
            labels,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.truths.len()
    }

    /// What the samples are.
    pub(super) fn things(&self) -> &'static str {
        match self.samples {
            Samples::Images(_) => "images",
            Samples::Texts(_) => "texts",
        }
    }

    /// How many samples a request holds.
    pub(super) fn per_request(&self) -> usize {
        match self.samples {
            Samples::Images(_) => 1,
            Samples::Texts(_) => TEXTS,
        }
    }

    /// Sends these samples, which is at least one, and compares the answers.
    pub(super) async fn send(
        &self,
        client: &Client,
        model: &str,
        samples: Range<usize>,
    ) -> Result<Share, Failure> {
        let failed = Failure::of_call(client.address());
        let truths = &self.truths[samples.clone()];
        match &self.samples {
            Samples::Images(images) => {
                let side = SIDE as u32;
                let images = images[samples].iter();
                let images = images.map(|pixels| Image::raw(side, side, 1, pixels.clone()));
                // The images are the model's pixels already, so none is framed again.
                let request = ClassifyRequest::new(images).model(model);
                let request = request.framing(Framing::None).label_unreadable();
                let answer = client.classify(request).await.map_err(failed)?;
                let tops = answer.predictions.iter().map(Prediction::top);
                let names = tops.map(|it| it.map_or("", |label| &label.name));
                self.share(truths, names, answer.timing, (answer.model, answer.version))
            }
            Samples::Texts(texts) => {
                let request = SentimentRequest::new(&texts[samples]).model(model);
                let answer = client.sentiment(request).await.map_err(failed)?;
                let names = answer.texts.iter().map(|it| it.label.as_str());
                self.share(truths, names, answer.timing, (answer.model, answer.version))
            }
        }
    }

    /// Counts classes and the answered labels.
    fn share<'a>(
        &self,
        truths: &[u8],
        names: impl Iterator<Item = &'a str>,
        timing: Timing,
        model: (String, String),
    ) -> Result<Share, Failure> {
        let labels = &self.labels;
        let mut score = Score::new(labels.len());
        for (&truth, name) in truths.iter().zip(names) {
            let answer = labels.iter().position(|it| it == name);
            let is_unknown = name == UNKNOWN && matches!(self.samples, Samples::Texts(_));
            if answer.is_none() && !is_unknown {
                let (model, labels) = (&model.0, labels.join(", "));
                let message =
                    format!("{model} answered with the label {name:?}; the labels are {labels}");
                return Err(Failure::new(message));
            }
            score.count(truth.into(), answer, timing.batch_size);
        }
        let model = Some(model);
        Ok(Share { score, model })
    }
}

/// Bad and good reviews in turn, so that the first of them are a fair sample.
fn alternate(reviews: Reviews) -> impl Iterator<Item = (String, u8)> {
    let (bad, good): (Vec<_>, Vec<_>) = reviews
        .texts
        .into_iter()
        .zip(reviews.labels)
        .partition(|(_, label)| *label == imdb::NEGATIVE);
    bad.into_iter().zip(good).flat_map(<[_; 2]>::from)
}

impl Share {
    pub(super) fn new(classes: usize) -> Self {
        Self {
            score: Score::new(classes),
            model: None,
        }
    }

    /// Adds another share. Figures of two models in one number mean nothing, so that is a failure.
    pub(super) fn add(&mut self, other: Self) -> Result<(), Failure> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reviews_are_of_both_kinds() {
        let reviews = Reviews {
            texts: ["a", "b", "y", "z"].map(String::from).into(),
            labels: vec![0, 0, 1, 1],
        };
        let order: Vec<_> = alternate(reviews).collect();
        let expected = [("a", 0), ("y", 1), ("b", 0), ("z", 1)];
        assert_eq!(
            order,
            expected.map(|(text, label)| (text.to_owned(), label))
        );
    }

    #[test]
    fn an_answer_that_is_no_class_is_a_failure() {
        let set = TestSet {
            samples: Samples::Texts(Vec::new()),
            truths: Vec::new(),
            labels: ["BAD", "GOOD"].map(String::from).into(),
        };
        let share = |truths: &[u8], names: &[&'static str]| {
            let model = ("lstm".to_owned(), "1".to_owned());
            set.share(truths, names.iter().copied(), Timing::default(), model)
        };
        let counted = share(&[0, 1], &["BAD", "BAD"]).unwrap();
        assert_eq!(counted.score.confusion(), [[1, 0], [1, 0]]);
        let counted = share(&[0, 1], &["UNKNOWN", "GOOD"]).unwrap();
        assert_eq!((counted.score.unknown(), counted.score.correct()), (1, 1));
        let failure = format!("{:?}", share(&[0], &["POSITIVE"]).unwrap_err());
        assert!(failure.contains("the labels are BAD, GOOD"), "{failure}");
    }

    #[test]
    fn two_models_are_not_counted_as_one() {
        let share = |version: &str| Share {
            score: Score::new(2),
            model: Some(("lstm".into(), version.into())),
        };
        let mut total = Share::new(2);
        total.add(share("1")).unwrap();
        total.add(share("1")).unwrap();
        assert!(total.add(share("2")).is_err());
    }
}
