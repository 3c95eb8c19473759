//! How networks are judged, by libtorch and by ONNX Runtime alike.

use std::convert::Infallible;
use std::fmt;

use serde_json::{Map, Value};
use tch::{Device, Tensor};

use crate::error::Error;
use crate::network::Network;
use crate::plots::curves::{self, Panel};
use crate::run_folder::{EpochMetrics, RunFolder};
use crate::verify::{LoadedModel, compare};

/// How far ONNX Runtime may be from libtorch, in absolute probability or in images of −1..=1.
pub const TOLERANCE: f32 = 1e-4;
/// The same of a network that computes in int8. Where a number is between two integers, the last
/// bit of float32 decides which of them it becomes.
pub const INT8_TOLERANCE: f32 = 0.05;

// Enough to keep the cores busy, small enough to stay in their caches.
const BATCH: usize = 500;
// Weights of a network that is compared on a part of the test samples only.
const LARGE: u64 = 5_000_000;
const SPARED: usize = 5;

/// What a network is judged on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What chooses the best epoch.
    Validation,
    /// What judges the best epoch.
    Test,
}

/// What an output is worth.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Chooses the best epoch: the lowest is the best.
    pub objective: f64,
    /// The figures for `metrics.jsonl`.
    pub record: Map<String, Value>,
    /// The figures for a manifest by name.
    pub metrics: Vec<(String, f64)>,
    /// The figures for the line of an epoch on the terminal.
    pub line: String,
    /// The figures in full, as lines of text.
    pub report: String,
}

/// What the best epoch of a run is drawn from.
#[derive(Debug)]
pub struct Drawing<'a> {
    /// Where the pictures go.
    pub run: &'a RunFolder,
    /// The network's name for titles.
    pub name: &'a str,
    /// All epochs.
    pub epochs: &'a [EpochMetrics],
    /// The number of the best one.
    pub best_epoch: u32,
    /// What the released network gave for [`Part::Test`].
    pub output: &'a Tensor,
}

/// Judges the networks of a task.
pub trait Exam: fmt::Debug {
    /// How many rows of input there are.
    fn rows(&self, part: Part) -> usize;

    /// Rows `start..start + count` of each input; fewer at the end.
    fn inputs(&self, part: Part, start: usize, count: usize) -> Vec<Tensor>;

    /// Judges what a network gave for all rows, on the CPU.
    fn judge(&self, part: Part, output: &Tensor) -> Verdict;

    /// What [`Part::Test`] is, for example `10000 test images`.
    fn subject(&self) -> String;

    /// Compares the weights as trained with those as stored: a line of text, and figures for the
    /// manifest.
    fn compare_precision(
        &self,
        trained: &Verdict,
        stored: &Verdict,
    ) -> (String, Vec<(String, f64)>);

    /// Draws the pictures of a run.
    fn draw(&self, drawing: &Drawing<'_>) -> Result<(), Error>;

    /// Keeps what is worth keeping of an epoch's output for [`Part::Validation`].
    fn keep(&self, _run: &RunFolder, _epoch: u32, _output: &Tensor) -> Result<(), Error> {
        Ok(())
    }

    /// Checks that ONNX Runtime computes what `network` gave for [`Part::Test`]. Gives the absolute
    /// difference, and whether it is "at most" that or, because outputs are rounded, "at least".
    fn verify(
        &self,
        network: &Network,
        output: &Tensor,
        model: &mut LoadedModel,
    ) -> Result<(f32, &'static str), Error>;
}

/// Figures for `metrics.jsonl`.
pub fn figures(figures: &[(impl ToString, f64)]) -> Map<String, Value> {
    let figures = figures.iter();
    figures
        .map(|(name, it)| (name.to_string(), (*it).into()))
        .collect()
}

impl Drawing<'_> {
    /// A figure of `metrics.jsonl` by epoch, as [`EpochMetrics::number`] gives it.
    pub fn column(&self, figure: &str) -> Vec<f64> {
        self.epochs.iter().map(|it| it.number(figure)).collect()
    }

    /// What is missing to 1, in percent, of a figure that is a part.
    pub fn missing_percent(&self, figure: &str) -> Vec<f64> {
        let missing = |it| 100.0 * (1.0 - it);
        self.column(figure).into_iter().map(missing).collect()
    }

    /// The panel of two losses: their names, and their figures of `metrics.jsonl`.
    pub fn losses<'b>(&self, [first, second]: [(&'b str, &str); 2]) -> Panel<'b> {
        let line = |(name, figure)| (name, self.column(figure));
        Panel {
            title: "Loss (cross entropy)",
            unit: "",
            lines: [line(first), line(second)],
        }
    }

    /// Draws `curves.png`, with the best epoch marked.
    pub fn curves(&self, panels: &[Panel<'_>; 2]) -> Result<(), Error> {
        let is_best = |it: &EpochMetrics| it.epoch == self.best_epoch;
        let best = self.epochs.iter().position(is_best).unwrap_or(0);
        let title = format!("{}: training", self.name);
        curves::draw(&self.run.file("curves.png"), &title, best, panels)
    }
}

impl dyn Exam + '_ {
    /// What `network` gives for all rows, on the CPU.
    pub fn output(&self, part: Part, network: &Network) -> Tensor {
        let output = |inputs: &[Tensor]| Ok::<_, Infallible>(network.output(inputs));
        let Ok(output) = self.in_batches(part, output);
        output
    }

    /// What a model in ONNX Runtime gives for all rows of [`Part::Test`].
    pub fn model_output(&self, model: &mut LoadedModel) -> Result<Tensor, Error> {
        self.in_batches(Part::Test, |inputs| model.output(inputs))
    }

    /// The largest difference between `expected` and what a model in ONNX Runtime gives for
    /// [`Part::Test`].
    ///
    /// A network of more than five million weights takes minutes for all rows, so one batch in five
    /// stands for the others.
    ///
    /// # Errors
    /// [`Error::Parity`] where it is above [`TOLERANCE`], or [`INT8_TOLERANCE`] in int8.
    pub fn difference(
        &self,
        network: &Network,
        expected: &Tensor,
        model: &mut LoadedModel,
    ) -> Result<f32, Error> {
        let tolerance = network.quantization().map_or(TOLERANCE, |_| INT8_TOLERANCE);
        let is_large = network.parameters() > LARGE;
        let (rows, step) = (self.rows(Part::Test), if is_large { SPARED } else { 1 });
        let mut largest = 0.0_f32;
        for start in (0..rows).step_by(BATCH * step) {
            let count = BATCH.min(rows - start);
            let actual = model.output(&self.inputs(Part::Test, start, count))?;
            let expected = expected.narrow(0, start as i64, count as i64);
            largest = largest.max(compare(&expected, &actual, tolerance)?);
        }
        Ok(largest)
    }

    /// What `output` gives for all rows, on the CPU.
    ///
    /// # Errors
    /// Those of `output`.
    pub(crate) fn in_batches<E>(
        &self,
        part: Part,
        mut output: impl FnMut(&[Tensor]) -> Result<Tensor, E>,
    ) -> Result<Tensor, E> {
        let rows = self.rows(part);
        let batches = (0..rows).step_by(BATCH).map(|start| {
            let inputs = self.inputs(part, start, BATCH.min(rows - start));
            Ok(output(&inputs)?.to_device(Device::Cpu))
        });
        Ok(Tensor::cat(&batches.collect::<Result<Vec<_>, _>>()?, 0))
    }
}
