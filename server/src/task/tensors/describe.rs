//! The protocol's descriptions of the server and its models.

use quintet_bundle::DataType;
use quintet_proto::inference as oip;
use quintet_proto::inference::model_instance_group::Kind;
use quintet_proto::inference::model_metadata_response::TensorMetadata;
use quintet_proto::inference::repository_index_response::ModelIndex;

use super::shape;
use crate::model::Model;
use crate::repository::{ModelVersion, State};
use crate::runtime::{Device, Port};
use crate::statistics::Sum;

/// Triton's name for ONNX models.
const PLATFORM: &str = "onnxruntime_onnx";
const BACKEND: &str = "onnxruntime";
/// Extensions that are served whole. The protocol has no name for the stream of requests.
const EXTENSIONS: [&str; 2] = ["model_configuration", "statistics"];

/// What ServerMetadata says.
pub(super) fn server() -> oip::ServerMetadataResponse {
    oip::ServerMetadataResponse {
        name: "quintet".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        extensions: EXTENSIONS.map(str::to_owned).to_vec(),
    }
}

/// What ModelMetadata says. `versions` are those of the model that are ready.
pub(super) fn metadata(model: &Model, versions: Vec<String>) -> oip::ModelMetadataResponse {
    let tensor = |port: &Port, shape| TensorMetadata {
        name: port.name.clone(),
        datatype: port.datatype.as_str().to_owned(),
        shape,
    };
    let input = |port: &Port| {
        let dims = std::iter::once(-1).chain(input_dims(port));
        tensor(port, dims.collect())
    };
    let output = |port: &Port| tensor(port, shape(port).collect());
    oip::ModelMetadataResponse {
        name: model.name.to_string(),
        versions,
        platform: PLATFORM.to_owned(),
        inputs: model.signature.inputs.iter().map(input).collect(),
        outputs: model.signature.outputs.iter().map(output).collect(),
    }
}

/// What ModelConfig says.
pub(super) fn config(model: &Model) -> oip::ModelConfig {
    let settings = model.engine.settings();
    let inputs = model.signature.inputs.iter().map(|port| oip::ModelInput {
        name: port.name.clone(),
        data_type: data_type(port.datatype).into(),
        dims: input_dims(port),
    });
    let outputs = model.signature.outputs.iter().map(|port| oip::ModelOutput {
        name: port.name.clone(),
        data_type: data_type(port.datatype).into(),
        dims: port.open_row_shape().collect(),
    });
    let (kind, gpus) = match model.device {
        Device::Cpu => (Kind::Cpu, vec![]),
        Device::Cuda(index) => (Kind::Gpu, vec![index]),
    };
    let group = oip::ModelInstanceGroup {
        name: format!("{}_0", model.name),
        count: settings.instances.unwrap_or_default() as i32,
        gpus,
        kind: kind.into(),
    };
    let batching = oip::ModelDynamicBatching {
        max_queue_delay_microseconds: settings.max_queue_delay.as_micros() as u64,
        default_queue_policy: Some(oip::ModelQueuePolicy {
            max_queue_size: settings.max_queue_size as u32,
        }),
    };
    oip::ModelConfig {
        name: model.name.to_string(),
        platform: PLATFORM.to_owned(),
        max_batch_size: settings.max_batch_size as i32,
        input: inputs.collect(),
        output: outputs.collect(),
        instance_group: vec![group],
        default_model_filename: "model.onnx".to_owned(),
        dynamic_batching: Some(batching),
        backend: BACKEND.to_owned(),
    }
}

/// What ModelStatistics says of one version.
pub(super) fn statistics(model: &Model) -> oip::ModelStatistics {
    let seen = &model.metrics.statistics;
    let duration = |count, ns| Some(oip::StatisticDuration { count, ns });
    let sum = |sum: &Sum| duration(sum.count(), sum.ns());
    let (mut inference_count, mut execution_count) = (0, 0);
    let mut batch_stats = Vec::new();
    for (batch_size, run) in (1..).zip(&seen.runs) {
        let count = run.count();
        if count > 0 {
            inference_count += batch_size * count;
            execution_count += count;
            batch_stats.push(oip::InferBatchStatistics {
                batch_size,
                // The run's time includes filling the input and taking the output.
                compute_input: duration(count, 0),
                compute_infer: duration(count, run.ns()),
                compute_output: duration(count, 0),
            });
        }
    }
    oip::ModelStatistics {
        name: model.name.to_string(),
        version: model.version.to_string(),
        last_inference: seen.last_inference_ms(),
        inference_count,
        execution_count,
        batch_stats,
        inference_stats: Some(oip::InferStatistics {
            success: sum(&seen.success),
            fail: sum(&seen.fail),
            queue: sum(&seen.queue),
            compute_input: sum(&seen.compute_input),
            compute_infer: sum(&seen.compute_infer),
            compute_output: sum(&seen.compute_output),
        }),
    }
}

/// What RepositoryIndex says of one version.
pub(super) fn index_entry(version: &ModelVersion, state: State) -> ModelIndex {
    let (state, reason) = match state {
        State::Ready(_) => ("READY", String::new()),
        State::Loading => ("LOADING", "the model is still loading".to_owned()),
        State::Unavailable(reason) => ("UNAVAILABLE", reason),
    };
    ModelIndex {
        name: version.name.clone(),
        version: version.version.to_string(),
        state: state.to_owned(),
        reason,
    }
}

/// The shape of an input's row. Triton writes one that is a single number as a list of one, and so
/// do its clients.
fn input_dims(port: &Port) -> Vec<i64> {
    match port.open_row_shape().count() {
        0 => vec![1],
        _ => port.open_row_shape().collect(),
    }
}

fn data_type(datatype: DataType) -> oip::DataType {
    oip::DataType::from_str_name(&format!("TYPE_{datatype}")).unwrap_or_default()
}
