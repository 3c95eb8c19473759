//! Judges classifiers by labelled samples.

use tch::Tensor;

use crate::data::Samples;
use crate::error::Error;
use crate::evaluate::Evaluation;
use crate::network::Network;
use crate::plots::curves::Panel;
use crate::plots::{Classified, Picture};
use crate::task::Setting;
use crate::task::exam::{Drawing, Exam, Part, Verdict, figures};
use crate::verify::LoadedModel;

const TRAINING: &str = "training, with dropout";
const VALIDATION: &str = "validation";

/// Judges classifiers.
#[derive(Debug)]
pub(super) struct ClassificationExam<'a> {
    pub(super) pictures: &'static [Picture],
    pub(super) setting: Setting<'a>,
}

impl ClassificationExam<'_> {
    fn samples(&self, part: Part) -> &Samples {
        match part {
            Part::Validation => self.setting.validation,
            Part::Test => self.setting.test,
        }
    }
}

impl Exam for ClassificationExam<'_> {
    fn rows(&self, part: Part) -> usize {
        self.samples(part).len()
    }

    fn inputs(&self, part: Part, start: usize, count: usize) -> Vec<Tensor> {
        self.samples(part).slice(start, count).inputs
    }

    fn judge(&self, part: Part, output: &Tensor) -> Verdict {
        let labels = self.samples(part).label_values();
        let evaluation = Evaluation::new(&values(output), &labels);
        let (loss, accuracy) = (evaluation.loss, evaluation.accuracy());
        let name = match part {
            Part::Validation => "validation",
            Part::Test => "test",
        };
        let metrics = [("accuracy", accuracy), ("loss", loss)];
        let metrics = metrics.map(|(figure, value)| (format!("{name}_{figure}"), value));
        let percent = 100.0 * accuracy;
        Verdict {
            objective: loss,
            record: figures(&metrics),
            metrics: metrics.into(),
            line: format!("{name} loss {loss:.4}  accuracy {percent:.2} %"),
            report: evaluation.report(self.setting.dataset.labels()),
        }
    }

    fn subject(&self) -> String {
        let noun = self.setting.dataset.noun();
        format!("{} test {noun}", self.rows(Part::Test))
    }

    fn compare_precision(
        &self,
        trained: &Verdict,
        stored: &Verdict,
    ) -> (String, Vec<(String, f64)>) {
        let [trained, stored] = [trained, stored].map(|it| it.metrics[0].1);
        let (before, after) = (100.0 * trained, 100.0 * stored);
        let line = format!(
            "float32 weights {before:.2} %, as stored {after:.2} %, difference {:+.2} points",
            after - before,
        );
        (line, vec![("test_accuracy_float32".to_owned(), trained)])
    }

    fn verify(
        &self,
        network: &Network,
        output: &Tensor,
        model: &mut LoadedModel,
    ) -> Result<(f32, &'static str), Error> {
        let exam: &dyn Exam = self;
        let difference = exam.difference(network, output, model)?;
        Ok((difference, "at most"))
    }

    fn draw(&self, drawing: &Drawing<'_>) -> Result<(), Error> {
        let loss = drawing.losses([(TRAINING, "train_loss"), (VALIDATION, "validation_loss")]);
        let error = Panel {
            title: "Error (1 − accuracy)",
            unit: " %",
            lines: [
                (TRAINING, drawing.missing_percent("train_accuracy")),
                (VALIDATION, drawing.missing_percent("validation_accuracy")),
            ],
        };
        drawing.curves(&[loss, error])?;

        let Setting { test, dataset, .. } = &self.setting;
        let (name, subject) = (drawing.name, self.subject());
        let (probabilities, truths) = (values(drawing.output), test.label_values());
        let evaluation = Evaluation::new(&probabilities, &truths);
        let percent = 100.0 * evaluation.accuracy();
        let classified = Classified {
            title: &format!("{name}: {percent:.2} % of {subject}"),
            samples: test,
            labels: dataset.labels(),
            truths: &truths,
            probabilities: &probabilities,
            confusion: &evaluation.confusion,
        };
        for (file, draw) in self.pictures {
            draw(&drawing.run.file(file), &classified)?;
        }
        Ok(())
    }
}

fn values(output: &Tensor) -> Vec<f32> {
    Vec::try_from(output.flatten(0, -1)).expect("probabilities are float32")
}
