//! The models that the scripted server lists.

use quintet_data::fashion_mnist;
use quintet_proto::v1::{ListModelsResponse, ModelInfo, ModelState, Task, TensorMetadata};

fn tensor(name: &str, datatype: &str, shape: &[i64]) -> TensorMetadata {
    TensorMetadata {
        name: name.into(),
        datatype: datatype.into(),
        shape: shape.into(),
    }
}

/// One of a task of a later API that did not load, a classifier of garments, a generator, a text classifier and a
/// classifier of digits.
pub(super) fn list() -> ListModelsResponse {
    let broken = ModelInfo {
        name: "cnn".into(),
        version: "1".into(),
        task: 99,
        state: ModelState::Unavailable.into(),
        reason: "golden samples differ by 0.3".into(),
        ..ModelInfo::default()
    };
    let fashion = ModelInfo {
        name: "fashion".into(),
        version: "1".into(),
        task: Task::ImageClassification.into(),
        state: ModelState::Ready.into(),
        architecture: "fashion".into(),
        labels: fashion_mnist::LABELS.map(str::to_owned).into(),
        inputs: vec![tensor("pixels", "UINT8", &[-1, 28, 28])],
        outputs: vec![tensor("probabilities", "FP32", &[-1, 10])],
        device: "cpu".into(),
        instances: 2,
        max_batch_size: 32,
        parameters: 269_434,
        metrics: [("test_accuracy".to_owned(), 0.9453)].into(),
        ..ModelInfo::default()
    };
    let gan = ModelInfo {
        name: "gan".into(),
        version: "3".into(),
        task: Task::ImageGeneration.into(),
        state: ModelState::Ready.into(),
        is_default: true,
        architecture: "gan".into(),
        inputs: vec![tensor("noise", "FP32", &[-1, 100])],
        outputs: vec![tensor("pixels", "UINT8", &[-1, 28, 28])],
        device: "cpu".into(),
        instances: 2,
        max_batch_size: 16,
        parameters: 2_330_944,
        metrics: [("frechet_distance".to_owned(), 9.5)].into(),
        ..ModelInfo::default()
    };
    let lstm = ModelInfo {
        name: "lstm".into(),
        version: "1".into(),
        task: Task::TextClassification.into(),
        state: ModelState::Ready.into(),
        is_default: true,
        architecture: "lstm".into(),
        labels: vec!["NEGATIVE".into(), "POSITIVE".into()],
        inputs: vec![
            tensor("tokens", "INT64", &[-1, -1]),
            tensor("lengths", "INT32", &[-1]),
        ],
        outputs: vec![tensor("score", "FP32", &[-1])],
        device: "cpu".into(),
        instances: 2,
        max_batch_size: 32,
        parameters: 1_331_521,
        metrics: [("test_accuracy".to_owned(), 0.885)].into(),
        ..ModelInfo::default()
    };
    let mlp = ModelInfo {
        name: "mlp".into(),
        version: "2".into(),
        task: Task::ImageClassification.into(),
        state: ModelState::Ready.into(),
        is_default: true,
        architecture: "mlp".into(),
        labels: (0..10).map(|it| it.to_string()).collect(),
        inputs: vec![tensor("pixels", "UINT8", &[-1, 28, 28])],
        outputs: vec![tensor("probabilities", "FP32", &[-1, 10])],
        device: "cpu".into(),
        instances: 2,
        max_batch_size: 64,
        parameters: 109_386,
        metrics: [("test_accuracy".to_owned(), 0.9712)].into(),
        ..ModelInfo::default()
    };
    ListModelsResponse {
        models: vec![broken, fashion, gan, lstm, mlp],
    }
}
