//! `quintet models`.

use std::{
    collections::BTreeMap,
    fmt::{Display, Write as _},
};

use quintet_client::{Client, ModelInfo, ModelState, Task, TensorMetadata};
use serde::Serialize;

use crate::{
    args::ModelsArgs,
    failure::Failure,
    output::{self, Table},
};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    models: Vec<ModelReport<'a>>,
}

#[derive(Debug, Serialize)]
struct ModelReport<'a> {
    name: &'a str,
    version: &'a str,
    task: &'static str,
    state: &'static str,
    reason: &'a str,
    is_default: bool,
    architecture: &'a str,
    labels: &'a [String],
    inputs: Vec<TensorReport<'a>>,
    outputs: Vec<TensorReport<'a>>,
    device: &'a str,
    instances: u32,
    max_batch_size: u32,
    parameters: u64,
    metrics: &'a BTreeMap<String, f64>,
}

#[derive(Debug, Serialize)]
struct TensorReport<'a> {
    name: &'a str,
    datatype: &'a str,
    shape: &'a [i64],
}

pub(crate) async fn run(client: &Client, args: &ModelsArgs) -> Result<(), Failure> {
    let models = client
        .list_models()
        .await
        .map_err(|error| Failure::of_call(&error, client.address()))?;
    if args.json {
        return output::print_json(&Report {
            models: models.iter().map(ModelReport::new).collect(),
        });
    }
    output::print(&render(&models))
}

fn render(models: &[ModelInfo]) -> String {
    if models.is_empty() {
        return "the server has no models\n".to_owned();
    }
    let mut table = Table::new()
        .text("NAME")
        .number("VERSION")
        .text("STATE")
        .text("TASK")
        .text("ARCHITECTURE")
        .number("PARAMETERS")
        .number("TEST ACCURACY")
        .text("DEVICE")
        .number("INSTANCES")
        .number("MAX BATCH");
    for model in models {
        let default = if model.is_default { " *" } else { "" };
        let accuracy = model.metrics.get("test_accuracy");
        table.row([
            format!("{}{default}", model.name),
            model.version.clone(),
            state(model.state).to_owned(),
            task(model.task).to_owned(),
            known(&model.architecture),
            known(&model.parameters),
            accuracy.map_or_else(|| "-".to_owned(), |it| format!("{:.2} %", it * 100.0)),
            known(&model.device),
            known(&model.instances),
            known(&model.max_batch_size),
        ]);
    }
    let mut text = table.render();
    for model in models.iter().filter(|it| !it.reason.is_empty()) {
        writeln!(
            text,
            "\n{} version {}: {}",
            model.name, model.version, model.reason
        )
        .expect("writing to a string does not fail");
    }
    if models.iter().any(|it| it.is_default) {
        text.push_str("\n* answers requests that name no model\n");
    }
    text
}

/// A dash for what the server does not know of a model that did not load.
fn known<T: Default + PartialEq + Display>(value: &T) -> String {
    if *value == T::default() {
        "-".to_owned()
    } else {
        value.to_string()
    }
}

fn task(task: Task) -> &'static str {
    match task {
        Task::ImageClassification => "image_classification",
        Task::TextClassification => "text_classification",
        Task::ImageGeneration => "image_generation",
        _ => "unknown",
    }
}

fn state(state: ModelState) -> &'static str {
    match state {
        ModelState::Loading => "loading",
        ModelState::Ready => "ready",
        ModelState::Unavailable => "unavailable",
        _ => "unknown",
    }
}

// === impl ModelReport ===

impl<'a> ModelReport<'a> {
    fn new(model: &'a ModelInfo) -> Self {
        Self {
            name: &model.name,
            version: &model.version,
            task: task(model.task),
            state: state(model.state),
            reason: &model.reason,
            is_default: model.is_default,
            architecture: &model.architecture,
            labels: &model.labels,
            inputs: model.inputs.iter().map(TensorReport::new).collect(),
            outputs: model.outputs.iter().map(TensorReport::new).collect(),
            device: &model.device,
            instances: model.instances,
            max_batch_size: model.max_batch_size,
            parameters: model.parameters,
            metrics: &model.metrics,
        }
    }
}

// === impl TensorReport ===

impl<'a> TensorReport<'a> {
    fn new(tensor: &'a TensorMetadata) -> Self {
        Self {
            name: &tensor.name,
            datatype: &tensor.datatype,
            shape: &tensor.shape,
        }
    }
}
