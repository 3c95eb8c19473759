//! What `ListModels` gives.

use std::collections::BTreeMap;

use quintet_proto::v1 as wire;

/// One version of a model in the server's repository, whether or not it can be called now.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ModelInfo {
    /// The model's name.
    pub name: String,
    /// A positive decimal number.
    pub version: String,
    /// What the model does.
    pub task: Task,
    /// Whether it can be called.
    pub state: ModelState,
    /// Why it cannot; empty when it can.
    pub reason: String,
    /// Whether a request that names no model gets this one.
    pub is_default: bool,
    /// The network's name, such as "cnn".
    pub architecture: String,
    /// The classes, in the order of the output.
    pub labels: Vec<String>,
    /// The tensors the model takes.
    pub inputs: Vec<TensorMetadata>,
    /// The tensors the model gives.
    pub outputs: Vec<TensorMetadata>,
    /// Where it runs, such as "cpu" or "cuda:0".
    pub device: String,
    /// How many copies of it run side by side.
    pub instances: u32,
    /// The most rows that one run takes.
    pub max_batch_size: u32,
    /// How many numbers training fitted.
    pub parameters: u64,
    /// What the trainer measured, such as `test_accuracy`.
    pub metrics: BTreeMap<String, f64>,
    /// What the large products are computed in, such as "int8"; empty for float32.
    pub quantization: String,
}

/// A tensor's name, type and shape, in the Open Inference Protocol's words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TensorMetadata {
    /// The tensor's name, such as "pixels".
    pub name: String,
    /// "UINT8", "INT32", "INT64" or "FP32".
    pub datatype: String,
    /// -1 where the size varies, as the batch's does.
    pub shape: Vec<i64>,
}

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Task {
    /// Names what is in an image.
    ImageClassification,
    /// Scores a text.
    TextClassification,
    /// Makes images.
    ImageGeneration,
    /// One that this SDK is too old to know.
    Unknown,
}

/// Whether a model can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum ModelState {
    /// Being read, verified and warmed up.
    Loading,
    /// It can.
    Ready,
    /// It did not load, or its golden samples did not agree; [`ModelInfo::reason`] says which.
    Unavailable,
    /// One that this SDK is too old to know.
    Unknown,
}

impl From<wire::ModelInfo> for ModelInfo {
    fn from(model: wire::ModelInfo) -> Self {
        let tensors = |list: Vec<wire::TensorMetadata>| list.into_iter().map(Into::into).collect();
        Self {
            task: match model.task() {
                wire::Task::ImageClassification => Task::ImageClassification,
                wire::Task::TextClassification => Task::TextClassification,
                wire::Task::ImageGeneration => Task::ImageGeneration,
                wire::Task::Unspecified => Task::Unknown,
            },
            state: match model.state() {
                wire::ModelState::Loading => ModelState::Loading,
                wire::ModelState::Ready => ModelState::Ready,
                wire::ModelState::Unavailable => ModelState::Unavailable,
                wire::ModelState::Unspecified => ModelState::Unknown,
            },
            name: model.name,
            version: model.version,
            reason: model.reason,
            is_default: model.is_default,
            architecture: model.architecture,
            quantization: model.quantization,
            labels: model.labels,
            inputs: tensors(model.inputs),
            outputs: tensors(model.outputs),
            device: model.device,
            instances: model.instances,
            max_batch_size: model.max_batch_size,
            parameters: model.parameters,
            metrics: model.metrics.into_iter().collect(),
        }
    }
}

impl From<wire::TensorMetadata> for TensorMetadata {
    fn from(tensor: wire::TensorMetadata) -> Self {
        Self {
            name: tensor.name,
            datatype: tensor.datatype,
            shape: tensor.shape,
        }
    }
}
