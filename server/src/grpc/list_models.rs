//! `ListModels` of `quintet.v1.InferenceService`.

use quintet_proto::v1;

use super::Rpc;
use crate::call::Call;
use crate::model::Model;
use crate::repository::{ModelVersion, Repository, State};
use crate::runtime::Port;
use crate::task::tensors::shape;

pub(super) fn rpc() -> Rpc {
    let path = "/quintet.v1.InferenceService/ListModels";
    Rpc::query(path, |call, _: &v1::ListModelsRequest| {
        Ok(list_models(call))
    })
}

fn list_models(call: &Call) -> v1::ListModelsResponse {
    let repository = call.repository();
    let models = repository.versions();
    let models = models.filter(|version| call.may_use(&version.name));
    let models = models.map(|version| model_info(repository, version));
    v1::ListModelsResponse {
        models: models.collect(),
    }
}

fn model_info(repository: &Repository, version: &ModelVersion) -> v1::ModelInfo {
    let mut info = v1::ModelInfo {
        name: version.name.clone(),
        version: version.version.to_string(),
        ..Default::default()
    };
    match version.state() {
        State::Loading => {
            info.set_state(v1::ModelState::Loading);
            "the model is still loading".clone_into(&mut info.reason);
        }
        State::Unavailable(reason) => {
            info.set_state(v1::ModelState::Unavailable);
            info.reason = reason;
        }
        State::Ready(model) => {
            info.set_state(v1::ModelState::Ready);
            info.is_default = repository.is_default(&model);
            describe(&model, &mut info);
        }
    }
    info
}

fn describe(model: &Model, info: &mut v1::ModelInfo) {
    let manifest = &model.manifest;
    let settings = model.engine.settings();
    // A task that the wire has no name for stays TASK_UNSPECIFIED.
    let task = format!("TASK_{}", manifest.task.to_uppercase());
    info.set_task(v1::Task::from_str_name(&task).unwrap_or_default());
    info.architecture.clone_from(&manifest.architecture);
    info.labels.clone_from(&manifest.labels);
    info.inputs = model.signature.inputs.iter().map(tensor).collect();
    info.outputs = model.signature.outputs.iter().map(tensor).collect();
    info.device = model.device.to_string();
    info.instances = settings.instances.unwrap_or_default() as u32;
    info.max_batch_size = settings.max_batch_size as u32;
    info.parameters = manifest.parameters;
    info.quantization = manifest
        .quantization
        .map_or_else(String::new, |it| it.to_string());
    info.metrics = manifest.metrics.clone().into_iter().collect();
}

fn tensor(port: &Port) -> v1::TensorMetadata {
    v1::TensorMetadata {
        name: port.name.clone(),
        datatype: port.datatype.as_str().to_owned(),
        shape: shape(port).collect(),
    }
}
