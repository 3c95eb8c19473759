//! What the networks of one task have in common: what their graph gives, how they learn, and how
//! they are judged.

pub mod classification;
pub mod exam;
pub mod generation;

use std::fmt;
use std::path::Path;

use quintet_bundle::{Preprocessing, TensorSpec};
use quintet_onnx::{GraphBuilder, GraphError, Value};
use tch::{Device, Tensor};

use crate::data::{Dataset, Loaded, Samples};
use crate::error::Error;
use crate::fit::{Fit, Learner};
use crate::network::Network;
use crate::task::exam::Exam;

/// A task. One is added by implementing this; the networks that have it name it.
pub trait Task: fmt::Debug + Sync {
    /// Its name in manifests, for example `image_classification`.
    fn name(&self) -> &'static str;

    /// What the graph of a network that learns from `dataset` takes and gives.
    fn signature(&self, dataset: &dyn Dataset) -> Signature;

    /// What a server and its start-up check need in addition to the graph.
    fn serving(&self, dataset: &dyn Dataset, data: &Loaded) -> Serving;

    /// What the graph gives, from what the last layer gives.
    fn output(&self, last: &Tensor) -> Tensor;

    /// Writes the step of [`Task::output`].
    fn export(&self, graph: &mut GraphBuilder, last: &Value) -> Result<Value, GraphError>;

    /// Whether samples are held out of the training ones to choose the best epoch.
    fn holds_out_samples(&self) -> bool {
        true
    }

    /// Prepares to train `network`, whose weights are fresh.
    fn learner<'a>(&self, fit: &Fit<'a>, network: &Network) -> Box<dyn Learner + 'a>;

    /// Prepares to judge networks.
    fn exam<'a>(&self, setting: &Setting<'a>) -> Result<Box<dyn Exam + 'a>, Error>;
}

/// What a graph takes and gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// What it takes.
    pub inputs: Vec<TensorSpec>,
    /// What it gives.
    pub output: TensorSpec,
}

/// What a bundle holds for servers in addition to the graph.
#[derive(Debug)]
pub struct Serving {
    /// The names of the classes, if there are any.
    pub labels: Vec<String>,
    /// How callers' data is prepared, if it is.
    pub preprocessing: Option<Preprocessing>,
    /// The inputs of the golden samples, on the CPU.
    pub golden: Vec<Tensor>,
    /// How far a server's outputs may be from the golden ones. Servers run other kernels, on other
    /// processors, than the trainer.
    pub tolerance: f32,
}

/// What networks are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The samples that a network learns from.
    pub train: &'a Samples,
    /// The samples that choose the best epoch.
    pub validation: &'a Samples,
    /// The samples that judge the best epoch, on the CPU.
    pub test: &'a Samples,
    /// Where the samples come from.
    pub dataset: &'static dyn Dataset,
    /// Where a judging network computes.
    pub device: Device,
    /// The bundle of the judging network, if the user named it.
    pub judge: Option<&'a Path>,
    /// Where to look for that bundle otherwise.
    pub models_dir: &'a Path,
    /// How many generated samples are judged.
    pub judged: usize,
}
