//! `quintet models`.

use std::fmt::Display;

use quintet_client::{Client, ModelInfo};
use serde::Serialize;

use crate::{args::ModelsArgs, failure::Failure, output};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    models: Vec<ModelInfo>,
}

pub(crate) async fn run(client: &Client, args: &ModelsArgs) -> Result<(), Failure> {
    let models = client.list_models().await;
    let models = models.map_err(Failure::of_call(client.address()))?;
    output::print_report(args.json, &Report { models }, Report::render)
}

/// A dash for what the server does not know of a model that did not load.
fn known<T: Default + PartialEq + Display>(value: &T) -> String {
    if *value == T::default() {
        "-".to_owned()
    } else {
        value.to_string()
    }
}

/// The architecture, and what it computes in where that is not float32.
fn network(model: &ModelInfo) -> String {
    match &*model.quantization {
        "" => known(&model.architecture),
        quantization => format!("{} ({quantization})", model.architecture),
    }
}

/// The name that an enum's value has in JSON.
fn json_name(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

impl Report {
    fn render(&self) -> String {
        let models = &self.models;
        if models.is_empty() {
            return "the server has no models\n".to_owned();
        }
        let row = |model: &ModelInfo| {
            let default = if model.is_default { " *" } else { "" };
            let accuracy = model.metrics.get("test_accuracy");
            [
                format!("{}{default}", model.name),
                model.version.clone(),
                json_name(&model.state),
                json_name(&model.task),
                network(model),
                known(&model.parameters),
                accuracy.map_or_else(|| "-".to_owned(), |it| format!("{:.2} %", it * 100.0)),
                known(&model.device),
                known(&model.instances),
                known(&model.max_batch_size),
            ]
        };
        let headers = [
            "<NAME",
            ">VERSION",
            "<STATE",
            "<TASK",
            "<ARCHITECTURE",
            ">PARAMETERS",
            ">TEST ACCURACY",
            "<DEVICE",
            ">INSTANCES",
            ">MAX BATCH",
        ];
        let mut text = output::table(headers, &models.iter().map(row).collect::<Vec<_>>());
        let unavailable = models.iter().filter(|it| !it.reason.is_empty());
        let reason =
            |it: &ModelInfo| format!("\n{} version {}: {}\n", it.name, it.version, it.reason);
        text.extend(unavailable.map(reason));
        if models.iter().any(|it| it.is_default) {
            text += "\n* answers requests that name no model\n";
        }
        text
    }
}
